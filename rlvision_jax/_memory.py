"""What the C library does with memory that was freed. (Host only.)"""

import numpy as np


def let_freed_memory_stay() -> None:
    """Spares compiled calls on CPU the page faults of memory that the call before gave back.

    A call needs some megabytes for a moment. glibc returns them to the system after each, and
    they come anew page by page: a third of the time of playing, a fifth of attribution. It keeps
    what is freed up to twice the size of the largest block freed so far, counting blocks up to
    32 MiB; so one such block is allocated here and freed, never written to. Other C libraries do
    not care.

    Source: mallopt(3), M_MMAP_THRESHOLD: "dynamic mmap threshold".
    """
    np.empty(2**25 - 2**16, np.uint8)
