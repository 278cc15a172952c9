CREATE TABLE users (
  sequence bigint GENERATED ALWAYS AS IDENTITY,
  id text PRIMARY KEY,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  email text NOT NULL UNIQUE,
  role text NOT NULL CHECK (role IN ('customer', 'dispatcher', 'technician')),
  technician_id text,
  password text NOT NULL
);

CREATE TABLE technicians (
  sequence bigint GENERATED ALWAYS AS IDENTITY,
  id text PRIMARY KEY,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  name text NOT NULL,
  skills text[] NOT NULL,
  available boolean NOT NULL
);

CREATE TABLE stock (
  sequence bigint GENERATED ALWAYS AS IDENTITY,
  id text PRIMARY KEY,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  price bigint NOT NULL,
  quantity bigint NOT NULL CHECK (quantity >= 0)
);

CREATE TABLE orders (
  sequence bigint GENERATED ALWAYS AS IDENTITY,
  id text PRIMARY KEY,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  status text NOT NULL CHECK (status IN ('pending', 'assigned', 'completed', 'cancelled')),
  customer_id text NOT NULL REFERENCES users,
  technician_id text REFERENCES technicians,
  items jsonb NOT NULL,
  total bigint NOT NULL,
  note text
);
