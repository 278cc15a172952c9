/*
 * sql_raw.c - the same work on libpq alone: what itlua.sql is measured against.
 *
 *   sql_raw CONNINFO select N      N times SELECT by primary key, prepared, one after the other
 *   sql_raw CONNINFO insert N      N prepared INSERTs in one pipeline, one transaction
 *   sql_raw CONNINFO rollback N    N times BEGIN, an INSERT, ROLLBACK
 *
 * The table is bench (id int PRIMARY KEY, name text, total numeric), made by tests/bench/sql.lua. Prints seconds.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(PGconn *pg, PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC) {
    fprintf(stderr, "sql_raw: %s\n", PQerrorMessage(pg));
    exit(1);
  }
  PQclear(r);
}

static long selected; /* so that no value goes unread */

static void selects(PGconn *pg, int n) {
  check(pg, PQprepare(pg, "s", "SELECT id, name, total FROM bench WHERE id = $1", 0, NULL));
  for (int i = 0; i < n; i++) {
    char id[16];
    const char *values[] = {id};
    snprintf(id, sizeof id, "%d", i % 1000 + 1);
    PGresult *r = PQexecPrepared(pg, "s", 1, values, NULL, NULL, 0);
    selected += strtol(PQgetvalue(r, 0, 0), NULL, 10) + (long)strlen(PQgetvalue(r, 0, 1));
    check(pg, r);
  }
}

static void take_answers(PGconn *pg, int *left) {
  while (*left && !PQisBusy(pg)) {
    PGresult *r = PQgetResult(pg);
    if (!r) --*left;
    else check(pg, r);
  }
}

static void inserts(PGconn *pg, int n) {
  int left = n;
  check(pg, PQprepare(pg, "i", "INSERT INTO bench_in VALUES ($1, $2, $3)", 0, NULL));
  PQsetnonblocking(pg, 1);
  PQenterPipelineMode(pg);
  for (int i = 0; i < n; i++) {
    char id[16], name[32];
    const char *values[] = {id, name, "12.50"};
    snprintf(id, sizeof id, "%d", i);
    snprintf(name, sizeof name, "name %d", i);
    if (!PQsendQueryPrepared(pg, "i", 3, values, NULL, NULL, 0)) exit(1);
    if (i % 500 != 499) continue;
    while (PQflush(pg) == 1) PQconsumeInput(pg);
    PQconsumeInput(pg);
    take_answers(pg, &left);
  }
  PQpipelineSync(pg);
  while (PQflush(pg) == 1) PQconsumeInput(pg);
  PQsetnonblocking(pg, 0);
  while (left) {
    PGresult *r = PQgetResult(pg);
    if (!r) left--;
    else check(pg, r);
  }
  check(pg, PQgetResult(pg)); /* of the sync */
}

static void rollbacks(PGconn *pg, int n) {
  check(pg, PQprepare(pg, "i", "INSERT INTO bench_in VALUES ($1, $2, $3)", 0, NULL));
  for (int i = 0; i < n; i++) {
    const char *values[] = {"1", "name", "12.50"};
    check(pg, PQexec(pg, "BEGIN"));
    check(pg, PQexecPrepared(pg, "i", 3, values, NULL, NULL, 0));
    check(pg, PQexec(pg, "ROLLBACK"));
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  PGconn *pg = PQconnectdb(argv[1]);
  if (PQstatus(pg) != CONNECTION_OK) {
    fprintf(stderr, "sql_raw: %s\n", PQerrorMessage(pg));
    return 1;
  }
  int n = (int)strtol(argv[3], NULL, 10);
  double from = now();
  if (strcmp(argv[2], "select") == 0) selects(pg, n);
  else if (strcmp(argv[2], "insert") == 0) inserts(pg, n);
  else if (strcmp(argv[2], "rollback") == 0) rollbacks(pg, n);
  else return 2;
  printf("%.6f\n", now() - from);
  PQfinish(pg);
  return selected < 0;
}
