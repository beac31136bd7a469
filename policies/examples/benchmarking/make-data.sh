#!/bin/sh
# Writes a folder for each of the four makers: the agreement with the approved query beside it, and 400 invented orders.
# Usage: sh policies/examples/benchmarking/make-data.sh DIR
set -eu
here=$(dirname "$0")
number=0
for maker in alder birch cedar dogwood; do
    number=$((number + 1))
    mkdir -p "$1/$maker/data"
    cp "$here/agreement.toml" "$here/delivery-by-region.sql" "$1/$maker/"
    awk -v maker="$number" 'BEGIN {
        split("chairs tables beds kitchens", goods, " ")
        split("north midlands south wales scotland", regions, " ")
        print "customer,order_no,goods,region,quarter,late,wait_days,delivery_cost,price"
        for (i = 1; i <= 400; i++) {
            wait = 8 + 3 * maker + (i * 13) % 17
            region = (i % 50 == 0) ? "wales" : regions[(i * 7) % 3 + 1]
            printf "C-%d,%d,%s,%s,2026-Q%d,%s,%d,%d.5,%d\n", (i * 37 + maker * 11) % 230, i, goods[int(i / 3) % 4 + 1],
                region, int(i / 12) % 4 + 1, (wait > 28 ? "true" : "false"), wait, 30 + 6 * maker + (i * 29) % 50, 100 + (i * 97) % 900
        }
    }' > "$1/$maker/data/orders.csv"
done
