"""Helpers around training: `utils.data`."""

from . import data as data
