"""`tiepoint app`: a page for people without a terminal, and an HTTP API for programs. Needs the extra `app`.

settings    AppSettings and Limits: where the server listens, what it reads, how much it accepts
server      the socket, uvicorn, and the end of the program
service     what all requests share: uploads, models, queues; created once per server
routes      the application: pages, uploads, jobs, API, errors
guard       Host and Origin headers, sizes of requests, security headers
messages    texts of errors without paths
uploads     images of users in a folder that goes away
root        files below `--root`
urls        images from other hosts, never from private addresses
options     options of a request, validated
models      networks, loaded once and shared
jobs        a queue with one worker: progress, cancel, time limit
pairs       jobs of two images
search      jobs that rank images
kinds       the jobs that the page can start
collections collections of images, which outlive the server
openapi     description of the API
static/     app.js, the bundle of viewer/app (`make viewer`)
"""
