// Runs SQL statements in one DuckDB, in the folder that it is started in: a file with a JSON array of texts as its argument,
// the rows of each on stdout.

import { readFile } from "node:fs/promises";

import { DuckDBInstance } from "@duckdb/node-api";

const instance = await DuckDBInstance.create(":memory:");
const connection = await instance.connect();
const results = [];
for (const sql of JSON.parse(await readFile(process.argv[2], "utf8"))) {
  try {
    const result = await connection.runAndReadAll(sql);
    results.push(result.getRowObjectsJson());
  } catch (error) {
    throw new Error(`${error.message}\n${sql}`);
  }
}
process.stdout.write(JSON.stringify(results));
