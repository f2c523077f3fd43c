"""Ask the machine for real time, and report what was granted. Changes this process's scheduling and memory.

Affinity and priority are the calling thread's alone, asked for after warm-up: a library's helper threads that
were started earlier keep ordinary scheduling on the other cores.
"""

from lalelu.realtime.cores import allowed_cores, choose_core, isolated_cores, leave_core, parse_cpu_list
from lalelu.realtime.requests import Grant
from lalelu.realtime.thread import RealTime, enter_net, enter_sound, enter_voice, require

__all__ = [
    "Grant",
    "RealTime",
    "allowed_cores",
    "choose_core",
    "enter_net",
    "enter_sound",
    "enter_voice",
    "isolated_cores",
    "leave_core",
    "parse_cpu_list",
    "require",
]
