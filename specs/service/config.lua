--- What the environment sets.

local function number(name, otherwise)
  return tonumber(os.getenv(name)) or otherwise
end

return {
  port = number("SHOP_PORT", 0), -- 0: a free one
  secret = os.getenv "SHOP_SECRET" or "not much of a secret",
  token_seconds = number("SHOP_TOKEN_SECONDS", 900),
  rate = number("SHOP_RATE", 100000), -- requests a client may send at once, and in a second
  database_url = os.getenv "SHOP_DATABASE_URL", -- PostgreSQL, migrated; without it the data is in memory
  redis_url = os.getenv "SHOP_REDIS_URL", -- for sessions; without it they are with the data
  patience = number("SHOP_PATIENCE", 2), -- seconds for an answer of the database or the sessions' store
  payments_url = os.getenv "SHOP_PAYMENTS_URL", -- where cards are charged; without it nobody pays
  brokers = os.getenv "SHOP_KAFKA", -- where events are published and consumed; without it nobody outside is told
  orders_topic = os.getenv "SHOP_ORDERS_TOPIC" or "orders",
  payments_topic = os.getenv "SHOP_PAYMENTS_TOPIC" or "payments",
  export_seconds = number("SHOP_EXPORT_SECONDS", 0.1), -- that an export takes
  payments_timeout = number("SHOP_PAYMENTS_TIMEOUT", 0.3),
}
