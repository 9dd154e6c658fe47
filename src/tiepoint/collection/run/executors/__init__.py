"""EXECUTORS: who does the tasks of a run: this process, several processes, or the machines of a Ray cluster.

An executor holds a bounded number of tasks at a time and gives outcomes as they come, in any order. A worker that dies
costs nothing but time: its task is done again by another.

    table      EXECUTORS, and open_executor
    serial     this process
    processes  several processes of this machine
    ray        the machines of a Ray cluster
"""
