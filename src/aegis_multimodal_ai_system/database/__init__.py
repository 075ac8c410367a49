"""The database of a deployment: what is known of each model, in SQLite or PostgreSQL.

    database = open_database(settings.database_url)
    database.migrate()
    database.states.get("classifier")

Its faults are CouldNotDecide `runtime.states_unavailable`, and never hold the password.
"""

from aegis_multimodal_ai_system.database.connection import Database, missing_file, open_database
from aegis_multimodal_ai_system.database.rules import ModelState, StateName
from aegis_multimodal_ai_system.database.states import ModelStates

__all__ = ["Database", "ModelState", "ModelStates", "StateName", "missing_file", "open_database"]
