"""The words the demo clinic is made of. People, insurers and medications are invented."""

FIRST_NAMES = (
    "Adaeze", "Aisha", "Alma", "Amadou", "Anselm", "Beatriz", "Bruno", "Carmen", "Chiara", "Dario",
    "Deniz", "Edda", "Elif", "Emil", "Esteban", "Farid", "Fiona", "Greta", "Hana", "Henrik", "Ines",
    "Ivo", "Jelena", "Joaquim", "Kamal", "Kaya", "Lene", "Leocadia", "Malik", "Marit", "Mateus",
    "Mireille", "Nadia", "Noor", "Odile", "Oskar", "Paloma", "Pavel", "Quentin", "Ravi", "Rosalind",
    "Salma", "Sören", "Tamsin", "Tiago", "Ulla", "Vera", "Wanda", "Yusuf", "Zoë",
)  # fmt: skip

LAST_NAMES = (
    "Abelard", "Almeida", "Baranski", "Bellweather", "Castellan", "Corvina", "Dahlquist", "Delacroix",
    "Ekwueme", "Falkenrath", "Ferreira", "Gallimore", "Grønvold", "Hallorand", "Ibarrola", "Iversholt",
    "Jankovar", "Kestrelin", "Kovalenka", "Lindqvarn", "Lobato", "Marchbanks", "Mbekeni", "Moravec",
    "Nakagiri", "Northcote", "O'Dwyrian", "Okonjo", "Palmeira", "Petrasek", "Quillfeather", "Rahmanov",
    "Rosenquill", "Saarikoski", "Santangel", "Tannhauer", "Thistlewood", "Ueberholt", "Valcourt",
    "Van der Moor", "Weatherby", "Wolfram", "Xenakidis", "Yilmazer", "Zubiaga",
)  # fmt: skip

CITIES = ("Lisbon", "São Paulo", "Porto", "Zürich", "New York", "Málaga", "Kraków", "Den Haag", "Oslo")
"""Cities, from the one with the most patients to the one with the fewest."""

BLOOD_TYPES = ("O+", "A+", "B+", "O-", "A-", "AB+", "B-", "AB-")
"""Names, from the most to the least common."""

DEPARTMENTS = (
    ("Heart Centre", "North", 2),
    ("Brain and Nerves", "North", 3),
    ("Children's Ward", "South", 1),
    ("Skin Clinic", "Annex", 0),
    ("Lung Centre", "South", 2),
    ("General Practice", "Annex", 1),
)
"""Name, building, floor."""

SPECIALTIES = (
    "Cardiology", "Neurology", "Pediatrics", "Dermatology", "Pulmonology", "General Medicine",
    "Allergology", "Sports Medicine", "Sleep Medicine", "Geriatrics",
)  # fmt: skip
"""The first is the main specialty of the first department, and so on; the rest is found everywhere."""

INSURERS = (
    ("Northlight Health", "Public"),
    ("Fieldstone & Sons", "Private"),
    ("Common Care", "Public"),
    ("Meridiana", "Private"),
    ("BlueHeron Mutual", "Public"),
)
"""Name, plan."""

CONDITIONS = (
    ("HYP", "Hypertension", 1, 0),
    ("ARR", "Arrhythmia", 1, 0),
    ("MIG", "Migraine", 1, 1),
    ("EPI", "Epilepsy", 1, 1),
    ("OTI", "Ear infection", 0, 2),
    ("POX", "Chickenpox", 0, 2),
    ("ECZ", "Eczema", 1, 3),
    ("ACN", "Acne", 0, 3),
    ("AST", "Asthma", 1, 4),
    ("BRO", "Bronchitis", 0, 4),
    ("FLU", "Influenza", 0, 5),
    ("DIA", "Type 2 diabetes", 1, 5),
    ("BCK", "Back pain", 0, 5),
    ("INS", "Insomnia", 0, 1),
    ("HAY", "Hay fever", 1, 4),
)
"""Code, name, 1 if chronic, position of the department that mostly sees it."""

MEDICATIONS = (
    ("Cardovanil", "Tablet", 1890, ("HYP", "ARR")),
    ("Tensorin", "Tablet", 1245, ("HYP",)),
    ("Ritmolane", "Tablet", 3420, ("ARR",)),
    ("Migrafade", "Tablet", 980, ("MIG",)),
    ("Neurosolin", "Tablet", 4610, ("EPI", "MIG")),
    ("Otiquell", "Syrup", 760, ("OTI",)),
    ("Calmidew", "Ointment", 690, ("POX", "ECZ")),
    ("Dermaluna", "Ointment", 1520, ("ECZ", "ACN")),
    ("Clarifane", "Ointment", 1130, ("ACN",)),
    ("Airavent", "Inhaler", 2750, ("AST",)),
    ("Breezolin", "Inhaler", 3180, ("AST", "HAY")),
    ("Bronchelle", "Syrup", 840, ("BRO", "FLU")),
    ("Febrilex", "Tablet", 450, ("FLU",)),
    ("Glucoraine", "Tablet", 2260, ("DIA",)),
    ("Dorsarelle", "Tablet", 590, ("BCK",)),
    ("Somnifern", "Tablet", 1370, ("INS",)),
    ("Pollenara", "Syrup", 1010, ("HAY",)),
    ("Vertigone", "Tablet", 1980, ()),
    ("Panaceal Forte", "Syrup", 5990, ()),
)
"""Name, form, price in cents, and the codes it is prescribed for; without codes it is never prescribed."""
