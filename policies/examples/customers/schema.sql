-- TPC-H's tables as the sites share them, with the customer's number in `lineitem` too: for `liquid policy explain --schema`.
CREATE TABLE customer (
    c_custkey    BIGINT,
    c_name       VARCHAR,
    c_address    VARCHAR,
    c_nationkey  BIGINT,
    c_phone      VARCHAR,
    c_acctbal    DOUBLE,
    c_mktsegment VARCHAR,
    c_comment    VARCHAR
);
CREATE TABLE orders (
    o_orderkey      BIGINT,
    o_custkey       BIGINT,
    o_orderstatus   VARCHAR,
    o_totalprice    DOUBLE,
    o_orderdate     DATE,
    o_orderpriority VARCHAR,
    o_clerk         VARCHAR,
    o_shippriority  BIGINT,
    o_comment       VARCHAR
);
CREATE TABLE lineitem (
    l_orderkey      BIGINT,
    l_partkey       BIGINT,
    l_suppkey       BIGINT,
    l_linenumber    BIGINT,
    l_quantity      DOUBLE,
    l_extendedprice DOUBLE,
    l_discount      DOUBLE,
    l_tax           DOUBLE,
    l_returnflag    VARCHAR,
    l_linestatus    VARCHAR,
    l_shipdate      DATE,
    l_commitdate    DATE,
    l_receiptdate   DATE,
    l_shipinstruct  VARCHAR,
    l_shipmode      VARCHAR,
    l_comment       VARCHAR,
    l_custkey       BIGINT
);
CREATE TABLE part (
    p_partkey     BIGINT,
    p_name        VARCHAR,
    p_mfgr        VARCHAR,
    p_brand       VARCHAR,
    p_type        VARCHAR,
    p_size        BIGINT,
    p_container   VARCHAR,
    p_retailprice DOUBLE,
    p_comment     VARCHAR
);
CREATE TABLE supplier (
    s_suppkey   BIGINT,
    s_name      VARCHAR,
    s_address   VARCHAR,
    s_nationkey BIGINT,
    s_phone     VARCHAR,
    s_acctbal   DOUBLE,
    s_comment   VARCHAR
);
CREATE TABLE partsupp (
    ps_partkey    BIGINT,
    ps_suppkey    BIGINT,
    ps_availqty   BIGINT,
    ps_supplycost DOUBLE,
    ps_comment    VARCHAR
);
CREATE TABLE nation (
    n_nationkey BIGINT,
    n_name      VARCHAR,
    n_regionkey BIGINT,
    n_comment   VARCHAR
);
CREATE TABLE region (
    r_regionkey BIGINT,
    r_name      VARCHAR,
    r_comment   VARCHAR
);
