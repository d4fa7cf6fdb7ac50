"""MySQL and MariaDB as databases."""
