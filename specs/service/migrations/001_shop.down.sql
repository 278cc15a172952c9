DROP TABLE orders;
DROP TABLE stock;
DROP TABLE technicians;
DROP TABLE users;
