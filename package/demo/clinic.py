"""The rows of the demo clinic: three years of a made-up clinic, the same for the same random source."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import TypeVar

from route_sql.demo.vocabulary import (
    BLOOD_TYPES,
    CITIES,
    CONDITIONS,
    DEPARTMENTS,
    FIRST_NAMES,
    INSURERS,
    LAST_NAMES,
    MEDICATIONS,
    SPECIALTIES,
)

ClinicRow = tuple[str | int | None, ...]
ClinicRows = dict[str, list[ClinicRow]]
"""Table to rows, in an order in which every foreign key points to a row that is already there."""

DOCTORS = 36
PATIENTS = 420
APPOINTMENTS = 1800
FIRST_DAY = date(2023, 1, 2)
TODAY = date(2025, 9, 30)
"""The clinic's present: later appointments are scheduled, earlier ones are over."""
LAST_DAY = date(2025, 12, 19)
SEVERITIES = ("Mild", "Moderate", "Severe", None)

_T = TypeVar("_T")


def clinic_rows(random: Random) -> ClinicRows:
    """All rows of the clinic.

    Args:
        random: The only source of chance; the same seed gives the same rows.

    Returns:
        Rows by table, parents before children.
    """
    doctors = list(_doctors(random))
    appointments = list(_appointments(random, doctors))
    diagnoses = list(_diagnoses(random, appointments, doctors))
    return {
        "department": [(i, *row) for i, row in enumerate(DEPARTMENTS, 1)],
        "specialty": [(i, name) for i, name in enumerate(SPECIALTIES, 1)],
        "doctor": doctors,
        "doctor_specialty": list(_doctor_specialties(random, doctors)),
        "insurer": [(i, *row) for i, row in enumerate(INSURERS, 1)],
        "patient": list(_patients(random)),
        "appointment": appointments,
        "condition": [row[:3] for row in CONDITIONS],
        "diagnosis": diagnoses,
        "medication": [(i, *row[:3]) for i, row in enumerate(MEDICATIONS, 1)],
        "prescription": list(_prescriptions(random, diagnoses)),
        "invoice": list(_invoices(random, appointments)),
    }


def _doctors(random: Random) -> Iterator[ClinicRow]:
    """The first doctor of each department heads it; the others report to the first or the second."""
    last_names = random.sample(LAST_NAMES, DOCTORS)
    for i in range(DOCTORS):
        department = i % len(DEPARTMENTS)
        colleagues = range(department + 1, i + 1, len(DEPARTMENTS))
        supervisor = random.choice(colleagues[:2]) if colleagues else None
        hired_on = _day(random, date(2005, 1, 1), date(2022, 12, 1)).isoformat()
        yield i + 1, random.choice(FIRST_NAMES), last_names[i], department + 1, supervisor, hired_on


def _doctor_specialties(random: Random, doctors: Sequence[ClinicRow]) -> Iterator[ClinicRow]:
    for doctor_id, *_, department, _supervisor, _hired_on in doctors:
        others = range(len(DEPARTMENTS) + 1, len(SPECIALTIES) + 1)
        for specialty in (department, *sorted(random.sample(others, random.choice((0, 0, 1, 1, 2))))):
            yield doctor_id, specialty, random.randint(1998, 2024) if random.random() < 0.9 else None


def _patients(random: Random) -> Iterator[ClinicRow]:
    for i in range(1, PATIENTS + 1):
        first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
        born = _day(random, date(1938, 1, 1), date(2022, 12, 31)).isoformat()
        blood_type = _skewed(random, BLOOD_TYPES) if random.random() < 0.8 else None
        email = f"patient{i}@mail.example" if random.random() < 0.7 else None
        insurer = random.randint(1, len(INSURERS)) if random.random() < 0.85 else None
        yield i, first, last, born, _skewed(random, CITIES), blood_type, email, insurer


def _appointments(random: Random, doctors: Sequence[ClinicRow]) -> Iterator[ClinicRow]:
    starts = sorted(_start(random) for _ in range(APPOINTMENTS))
    for i, start in enumerate(starts, 1):
        if start.date() > TODAY:
            status = "Cancelled" if random.random() < 0.06 else "Scheduled"
        else:
            status = random.choices(("Completed", "Cancelled", "No-show"), (82, 11, 7))[0]
        # The last ten patients are registered and have never been seen.
        patient = random.randint(1, PATIENTS - 10)
        doctor = _skewed(random, doctors)[0]
        minutes = random.choice((15, 20, 30, 30, 45, 60))
        yield i, patient, doctor, start.strftime("%Y-%m-%d %H:%M"), minutes, status


def _diagnoses(random: Random, appointments: Sequence[ClinicRow], doctors: Sequence[ClinicRow]) -> Iterator[ClinicRow]:
    department_of = {row[0]: row[3] for row in doctors}
    codes = [row[0] for row in CONDITIONS]
    for appointment_id, _, doctor_id, *_, status in appointments:
        if status != "Completed":
            continue
        usual = [code for code, *_, position in CONDITIONS if position + 1 == department_of[doctor_id]]
        findings = random.choice((0, 1, 1, 2))
        found = {random.choice(usual if random.random() < 0.8 else codes) for _ in range(findings)}
        # Sorted, since a set of strings has another order in every run of Python.
        for code in sorted(found):
            yield appointment_id, code, random.choices(SEVERITIES, (45, 30, 15, 10))[0]


def _prescriptions(random: Random, diagnoses: Sequence[ClinicRow]) -> Iterator[ClinicRow]:
    number = 0
    for appointment_id, code, _severity in diagnoses:
        suitable = [i for i, row in enumerate(MEDICATIONS, 1) if code in row[3]]
        if random.random() < 0.7:
            number += 1
            days = random.choice((5, 7, 10, 14, 30, 90)) if random.random() < 0.85 else None
            yield number, appointment_id, random.choice(suitable), random.choice((1, 1, 1, 2, 3)), days


def _invoices(random: Random, appointments: Sequence[ClinicRow]) -> Iterator[ClinicRow]:
    billed = [row for row in appointments if row[-1] == "Completed"]
    for number, (appointment_id, _, _, starts_at, minutes, _) in enumerate(billed, 1):
        issued = date.fromisoformat(str(starts_at)[:10]) + timedelta(days=random.randint(1, 9))
        paid = issued + timedelta(days=random.randint(2, 60))
        paid_on = paid.isoformat() if random.random() < 0.88 and paid <= TODAY else None
        amount = 1500 + int(minutes or 0) * 210 + random.randrange(0, 4000, 5)
        yield number, appointment_id, amount, issued.isoformat(), paid_on


def _day(random: Random, first: date, last: date) -> date:
    return first + timedelta(days=random.randint(0, (last - first).days))


def _start(random: Random) -> datetime:
    """A quarter of an hour in the clinic's opening hours, Monday to Friday."""
    day = _day(random, FIRST_DAY, LAST_DAY)
    day -= timedelta(days=max(0, day.weekday() - 4))
    return datetime(day.year, day.month, day.day, random.randint(8, 16), random.choice((0, 15, 30, 45)))


def _skewed(random: Random, items: Sequence[_T]) -> _T:
    """One of `items`, the earlier ones more often; with equal counts every ranking would be a tie."""
    return items[int(len(items) * random.random() ** 1.6)]
