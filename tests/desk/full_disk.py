"""A disk that is full, without one."""

import resource
from contextlib import contextmanager


@contextmanager
def files_up_to(size):
    """Let no file of this process grow beyond `size`: what a full disk does, without one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
