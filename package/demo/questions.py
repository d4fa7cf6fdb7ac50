"""Questions about the demo clinic, from easy to hard, each with gold SQL of ours."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class DemoQuestion:
    """A question, SQL that answers it, and how hard it is: 1 for one table, up to 4 for nesting over many."""

    question: str
    sql: str
    level: Literal[1, 2, 3, 4]
    evidence: str | None = None


QUESTIONS: tuple[DemoQuestion, ...] = (
    DemoQuestion(
        "How many patients live in são paulo?",
        "SELECT COUNT(*) FROM patient WHERE city = 'São Paulo'",
        1,
    ),
    DemoQuestion(
        "How many appointments were cancelled?",
        "SELECT COUNT(*) FROM appointment WHERE status = 'Cancelled'",
        1,
    ),
    DemoQuestion(
        "Which tablets cost more than 30 euros a pack? Give name and price in euros, dearest first.",
        "SELECT name, price_cents / 100.0 FROM medication "
        "WHERE form = 'Tablet' AND price_cents > 3000 ORDER BY price_cents DESC",
        1,
    ),
    DemoQuestion(
        "How many patients are there of each blood type? Leave out those who were never tested.",
        'SELECT "blood type", COUNT(*) FROM patient WHERE "blood type" IS NOT NULL GROUP BY "blood type"',
        1,
    ),
    DemoQuestion(
        "Which doctors work in the Skin Clinic?",
        "SELECT d.first_name, d.last_name FROM doctor AS d "
        "JOIN department AS p ON p.department_id = d.department_id WHERE p.name = 'Skin Clinic'",
        2,
    ),
    DemoQuestion(
        "How many patients have a private insurance plan?",
        "SELECT COUNT(*) FROM patient AS p JOIN insurer AS i ON i.insurer_id = p.insurer_id WHERE i.plan = 'Private'",
        2,
    ),
    DemoQuestion(
        "What are the last names of the doctors who are specialized in sleep medicine?",
        "SELECT d.last_name FROM doctor AS d JOIN doctor_specialty AS ds ON ds.doctor_id = d.doctor_id "
        "JOIN specialty AS s ON s.specialty_id = ds.specialty_id WHERE s.name = 'Sleep Medicine'",
        2,
    ),
    DemoQuestion(
        "List the last name of every doctor who has a supervisor, with the last name of that supervisor.",
        "SELECT d.last_name, s.last_name FROM doctor AS d JOIN doctor AS s ON s.doctor_id = d.supervisor_id",
        2,
    ),
    DemoQuestion(
        "Which patients have never had an appointment? Give first and last name.",
        "SELECT first_name, last_name FROM patient WHERE patient_id NOT IN (SELECT patient_id FROM appointment)",
        2,
    ),
    DemoQuestion(
        "Which condition was diagnosed most often, and how many times?",
        "SELECT c.name, COUNT(*) FROM diagnosis AS g JOIN condition AS c ON c.code = g.condition_code "
        "GROUP BY c.code ORDER BY COUNT(*) DESC LIMIT 1",
        3,
    ),
    DemoQuestion(
        "How many completed appointments did each department have in 2024?",
        "SELECT p.name, COUNT(*) FROM appointment AS a JOIN doctor AS d ON d.doctor_id = a.doctor_id "
        "JOIN department AS p ON p.department_id = d.department_id "
        "WHERE a.status = 'Completed' AND a.starts_at LIKE '2024-%' GROUP BY p.department_id",
        3,
    ),
    DemoQuestion(
        "How much money, in euros, do the patients of each insurer still owe?",
        "SELECT n.name, SUM(i.amount_cents) / 100.0 FROM invoice AS i "
        "JOIN appointment AS a ON a.appointment_id = i.appointment_id "
        "JOIN patient AS p ON p.patient_id = a.patient_id JOIN insurer AS n ON n.insurer_id = p.insurer_id "
        "WHERE i.paid_on IS NULL GROUP BY n.insurer_id",
        3,
        evidence="an invoice that is still owed has no paid_on",
    ),
    DemoQuestion(
        "Which medications were never prescribed?",
        "SELECT name FROM medication WHERE medication_id NOT IN (SELECT medication_id FROM prescription)",
        3,
    ),
    DemoQuestion(
        "Which medications were prescribed to patients with severe asthma?",
        "SELECT DISTINCT m.name FROM diagnosis AS g JOIN condition AS c ON c.code = g.condition_code "
        "JOIN prescription AS r ON r.appointment_id = g.appointment_id "
        "JOIN medication AS m ON m.medication_id = r.medication_id "
        "WHERE c.name = 'Asthma' AND g.severity = 'Severe'",
        4,
        evidence="a prescription belongs to a diagnosis if both were made at the same appointment",
    ),
    DemoQuestion(
        "How many patients were seen both in the heart centre and in the lung centre?",
        "SELECT COUNT(*) FROM (SELECT a.patient_id FROM appointment AS a "
        "JOIN doctor AS d ON d.doctor_id = a.doctor_id "
        "JOIN department AS p ON p.department_id = d.department_id "
        "WHERE a.status = 'Completed' AND p.name IN ('Heart Centre', 'Lung Centre') "
        "GROUP BY a.patient_id HAVING COUNT(DISTINCT p.department_id) = 2)",
        4,
        evidence="seen means that the appointment was completed",
    ),
)

SHOWN = (
    "How many patients live in são paulo?",
    "Which patients have never had an appointment? Give first and last name.",
    "What are the last names of the doctors who are specialized in sleep medicine?",
)
"""The questions of `route-sql demo`: a value in another case, a value that is missing, and a join of three tables."""
