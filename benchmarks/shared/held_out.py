"""Databases of Spider's training questions that the shipped adapter was not tuned on, in two lists without overlap."""

FIT = ("hospital_1", "e_learning", "sports_competition", "party_host", "phone_1", "restaurant_1")
"""Calibration and thresholds are fitted on these."""
CHOOSE = (
    "customers_card_transactions",
    "college_3",
    "small_bank_1",
    "cinema",
    "workshop_paper",
    "flight_company",
    "debate",
    "local_govt_mdm",
)
"""Choices between versions are made on these."""
