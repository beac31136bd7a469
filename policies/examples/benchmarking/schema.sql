-- The table, as each maker's node shares it.
CREATE TABLE orders (
    customer VARCHAR, order_no VARCHAR, goods VARCHAR, region VARCHAR, quarter VARCHAR, late BOOLEAN,
    wait_days BIGINT, delivery_cost DOUBLE, price DOUBLE
);
