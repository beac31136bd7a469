"""What an analyst's notebook does: connects over ADBC, looks around, asks, and reads a refusal. Prints one JSON line."""

import json
import sys

import adbc_driver_flightsql.dbapi
import adbc_driver_manager
from adbc_driver_flightsql import DatabaseOptions


def connect(connection, token, **headers):
    options = {
        DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}",
        DatabaseOptions.TLS_ROOT_CERTS.value: open(connection["ca"], encoding="ascii").read(),
    }
    for name, value in headers.items():
        options[DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + f"x-liquid-{name}"] = value
    return adbc_driver_flightsql.dbapi.connect(connection["coordinator"], db_kwargs=options)


def fails(connection, sql):
    """The error that a question ends in, with its type and the details that travel beside it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            cursor.fetchall()
    except adbc_driver_manager.Error as error:
        return {
            "type": type(error).__name__,
            "status": adbc_driver_manager.AdbcStatusCode(error.status_code).name,
            "message": str(error),
            "details": [value.decode("utf-8", "replace") for _, value in error.details],
        }
    return None


def main():
    demo = json.loads(sys.argv[1])
    token = next(iter(demo["tokens"].values()))
    seen = {}
    with connect(demo, token) as connection:
        seen["info"] = connection.adbc_get_info()
        objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        seen["tables"] = {
            f"{schema['db_schema_name']}.{table['table_name']}": [c["column_name"] for c in table["table_columns"]]
            for catalog in objects
            for schema in catalog["catalog_db_schemas"]
            for table in schema["db_schema_tables"]
        }
        seen["table_types"] = connection.adbc_get_table_types()
        seen["schema"] = {f.name: str(f.type) for f in connection.adbc_get_table_schema("cardiac")}
        seen["remarks"] = {
            f.name: {k.decode(): v.decode() for k, v in (f.metadata or {}).items()}
            for f in connection.adbc_get_table_schema("cardiac")
        }
        with connection.cursor() as cursor:
            cursor.execute("SELECT site, count(*) AS patients FROM cardiac GROUP BY site ORDER BY site")
            table = cursor.fetch_arrow_table()
            seen["types"] = {field.name: str(field.type) for field in table.schema}
            seen["rows"] = table.to_pylist()
            cursor.execute("SELECT count(*) AS patients FROM cardiac WHERE age >= ?", parameters=(50,))
            seen["bound"] = cursor.fetchone()[0]
            schema = cursor.adbc_execute_schema("SELECT avg(age) AS mean_age FROM cardiac")
            seen["planned"] = {field.name: str(field.type) for field in schema}
        seen["refusal"] = fails(connection, "SELECT patient, age FROM cardiac")
        seen["unknown"] = fails(connection, "SELECT count(blood_type) FROM cardiac")
    with connect(demo, token, marks="columns") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT site, sex, count(*) AS n FROM cardiac GROUP BY site, sex ORDER BY site, sex")
        seen["marked"] = cursor.fetch_arrow_table().to_pylist()
    with connect(demo, "not-a-token") as connection:
        seen["stranger"] = fails(connection, "SELECT count(*) FROM cardiac")
    json.dump(seen, sys.stdout, default=str)


if __name__ == "__main__":
    main()
