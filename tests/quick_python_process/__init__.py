"""The process of `tests.quick_python`: a client that is the program, a server that forks it."""
