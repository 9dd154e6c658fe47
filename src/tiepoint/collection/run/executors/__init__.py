"""Executors: run tasks in this process, in several processes, or on a Ray cluster.

An executor keeps a bounded number of tasks in flight and yields outcomes in any order. The task of a worker that dies is
repeated by another worker.

    registry   EXECUTORS: table of executors; open_executor
    serial     this process
    processes  several processes of this machine
    ray        the machines of a Ray cluster
"""
