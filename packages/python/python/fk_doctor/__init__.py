"""Finds every broken foreign-key reference of a database. This module calls the program ``fk-doctor`` of the same wheel."""

from ._program import FkDoctorError, find_program, scan
from ._report import Finding, Relation, Report

__all__ = ["Finding", "FkDoctorError", "Relation", "Report", "find_program", "scan"]
