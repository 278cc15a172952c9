CREATE TABLE customers (email text PRIMARY KEY, name text NOT NULL);
