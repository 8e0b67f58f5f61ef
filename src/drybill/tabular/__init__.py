"""Reading tables of any common kind into checked values; every refusal names file, row, column."""

from drybill.tabular.columns import Cells, Column, no_collection, read_columns, separated_by
from drybill.tabular.grid import Batch, Dialect, Fault, Grid, even, open_grid
from drybill.tabular.problems import Problems, nearest

__all__ = [
    "Batch",
    "Cells",
    "Column",
    "Dialect",
    "Fault",
    "Grid",
    "Problems",
    "even",
    "nearest",
    "no_collection",
    "open_grid",
    "read_columns",
    "separated_by",
]
