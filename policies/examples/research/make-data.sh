#!/bin/sh
# Writes a folder for each of the two hospitals: the agreement, and 1,500 invented stays.
# Usage: sh policies/examples/research/make-data.sh DIR
set -eu
here=$(dirname "$0")
number=0
for hospital in lakeside-hospital moor-hospital; do
    number=$((number + 1))
    mkdir -p "$1/$hospital/data"
    cp "$here/agreement.toml" "$1/$hospital/"
    awk -v hospital="$number" 'BEGIN {
        split("circulatory respiratory digestive injury mental other", chapters, " ")
        split("18-44,45-64,65-79,80 and over", bands, ",")
        print "patient,admitted,diagnosis,chapter,age_band,sex,lives_alone,discharge_visit,readmitted,nights"
        for (i = 1; i <= 1500; i++) {
            patient = (i * 37) % 1100
            year = 2016 + int(i / 30) % 10
            band = patient % 4
            visit = (year > 2020 && i % 3 > 0)
            again = ((i * 31) % 100 < (visit ? 11 : 17) + 3 * band)
            chapter = (i % 97 == 0) ? 5 : int(i / 7) % 4 + 1
            printf "H%d-%d,%d-%02d-15,X%02d,%s,%s,%s,%s,%s,%s,%d\n", hospital, patient, year, i % 12 + 1, i % 60, chapters[chapter],
                bands[band + 1], (patient % 2 ? "F" : "M"), (patient % 5 ? "false" : "true"), (visit ? "true" : "false"),
                (again ? "true" : "false"), 1 + (i * 11) % 9 + 2 * band
        }
    }' > "$1/$hospital/data/stays.csv"
done
