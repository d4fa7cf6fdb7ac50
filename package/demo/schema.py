"""The demo clinic's tables, as SQL; SQLite keeps the comments with the definitions."""

SCHEMA = """
CREATE TABLE department (
    department_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    building TEXT NOT NULL, -- 'North', 'South' or 'Annex'
    floor INTEGER NOT NULL -- 0 is the ground floor
);

CREATE TABLE specialty (
    specialty_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE doctor (
    doctor_id INTEGER PRIMARY KEY,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    department_id INTEGER NOT NULL REFERENCES department (department_id),
    supervisor_id INTEGER REFERENCES doctor (doctor_id), -- NULL for the heads of departments
    hired_on TEXT NOT NULL -- ISO date, YYYY-MM-DD
);

CREATE TABLE doctor_specialty ( -- a doctor may hold several specialties
    doctor_id INTEGER NOT NULL REFERENCES doctor (doctor_id),
    specialty_id INTEGER NOT NULL REFERENCES specialty (specialty_id),
    certified_year INTEGER, -- NULL where the certificate is pending
    PRIMARY KEY (doctor_id, specialty_id)
);

CREATE TABLE insurer (
    insurer_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL CHECK (plan IN ('Public', 'Private'))
);

CREATE TABLE patient (
    patient_id INTEGER PRIMARY KEY,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    birth_date TEXT NOT NULL, -- ISO date, YYYY-MM-DD
    city TEXT NOT NULL,
    "blood type" TEXT, -- such as 'A+' or 'O-'; NULL if never tested
    email TEXT,
    insurer_id INTEGER REFERENCES insurer (insurer_id) -- NULL for patients who pay themselves
);

CREATE TABLE appointment (
    appointment_id INTEGER PRIMARY KEY,
    patient_id INTEGER NOT NULL REFERENCES patient (patient_id),
    doctor_id INTEGER NOT NULL REFERENCES doctor (doctor_id),
    starts_at TEXT NOT NULL, -- YYYY-MM-DD HH:MM
    minutes INTEGER NOT NULL, -- planned length
    status TEXT NOT NULL CHECK (status IN ('Completed', 'Cancelled', 'No-show', 'Scheduled'))
);

CREATE TABLE condition (
    code TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    is_chronic INTEGER NOT NULL CHECK (is_chronic IN (0, 1))
);

CREATE TABLE diagnosis ( -- what was found at an appointment, none to several conditions
    appointment_id INTEGER NOT NULL REFERENCES appointment (appointment_id),
    condition_code TEXT NOT NULL REFERENCES condition (code),
    severity TEXT CHECK (severity IN ('Mild', 'Moderate', 'Severe')), -- NULL if not graded
    PRIMARY KEY (appointment_id, condition_code)
);

CREATE TABLE medication (
    medication_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    form TEXT NOT NULL, -- 'Tablet', 'Syrup', 'Ointment', 'Inhaler'
    price_cents INTEGER NOT NULL -- euro cents a pack
);

CREATE TABLE prescription (
    prescription_id INTEGER PRIMARY KEY,
    appointment_id INTEGER NOT NULL REFERENCES appointment (appointment_id),
    medication_id INTEGER NOT NULL REFERENCES medication (medication_id),
    packs INTEGER NOT NULL,
    days INTEGER -- how long to take it; NULL for as needed
);

CREATE TABLE invoice (
    invoice_id INTEGER PRIMARY KEY,
    appointment_id INTEGER NOT NULL UNIQUE REFERENCES appointment (appointment_id),
    amount_cents INTEGER NOT NULL, -- euro cents
    issued_on TEXT NOT NULL, -- ISO date
    paid_on TEXT -- ISO date; NULL while unpaid
);

CREATE INDEX appointment_by_patient ON appointment (patient_id);
CREATE INDEX appointment_by_doctor ON appointment (doctor_id);

CREATE VIEW unpaid_invoice AS
SELECT i.invoice_id, p.patient_id, p.first_name, p.last_name, i.amount_cents, i.issued_on
FROM invoice AS i
JOIN appointment AS a ON a.appointment_id = i.appointment_id
JOIN patient AS p ON p.patient_id = a.patient_id
WHERE i.paid_on IS NULL;
"""
