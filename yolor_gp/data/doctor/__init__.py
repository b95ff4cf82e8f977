"""The doctor: everything that is wrong with a data set, before a GPU is kept busy with it."""

from yolor_gp.data.doctor.examination import examine
from yolor_gp.data.doctor.report import Finding, Report

__all__ = ["Finding", "Report", "examine"]
