"""Who plays lessons while a kit is tuned: this machine's processes, or a Dask cluster. Starts processes, connects."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import batched, product
from multiprocessing import get_context
from typing import Any, Self

from lalelu.config.kit import KitConfig
from lalelu.errors import MissingError
from lalelu.tuning.lesson import Judge, Lesson
from lalelu.tuning.outcome import Outcome

