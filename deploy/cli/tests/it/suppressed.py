"""What another tool for statistical disclosure control says of the same table: `suppressed.py rows.csv`.

Prints, for each cell of ward and sex, which of its three checks on a sum the cell fails.
"""

import json
import logging
import sys
import warnings

import acro
import pandas

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")

rows = pandas.read_csv(sys.argv[1])
session = acro.ACRO(suppress=True)
# The table that it prints goes the way of the log.
printed, sys.stdout = sys.stdout, sys.stderr
session.crosstab(rows.ward, rows.sex, values=rows.cost, aggfunc="sum")
sys.stdout = printed
outcome = session.results.get_index(0).outcome
found = {
    f"{ward} {sex}": sorted(check.strip() for check in str(outcome.loc[ward, sex]).split(";") if check.strip() not in ("", "ok"))
    for ward in outcome.index
    for sex in outcome.columns
}
json.dump(found, sys.stdout)
