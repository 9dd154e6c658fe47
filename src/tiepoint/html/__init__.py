"""Web pages: the interactive viewer of a pair, and the style that all reports share.

    pair_data   a matched pair -> the viewer's JSON data (docs/how-to/look-at-matches.md)
    embedding   images as JPEG data URLs, reduced if they are large
    pair_page   one self-contained page with a viewer
    notebook    the viewer in a frame of a notebook, pictures of at most 300 KB
    charts      bar and scatter charts as SVG
    pair_viewers   several pairs in one page, opened by a click
    rendering   jinja2 templates -> pages, written atomically
    templates/  base page and style
    static/     viewer.js, the bundle of viewer/ (`make viewer`)

Pages need no network, and their Content-Security-Policy forbids it.
"""
