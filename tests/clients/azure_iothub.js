// Azure's service SDK for Node, obeying: a JSON command a line on stdin, an answer on stdout.
//
// A command is {"call": method of Registry, "args": [...]}, or {"query": text, "page": rows}, which
// answers with all pages; with "of": "job" it is a method of JobClient, or {"jobs": [type, status],
// "page": rows}. The answer is {"result": ...}, or {"refused": class of the error}.
// NODE_EXTRA_CA_CERTS names the authority; the SDK can only ask port 443.
"use strict";
const readline = require("readline");
const { JobClient, Registry } = require("azure-iothub");

const registry = Registry.fromConnectionString(process.argv[2]);
const jobs = JobClient.fromConnectionString(process.argv[2]);

async function carryOut(command) {
  if (command.query || command.jobs) {
    const query = command.query
      ? registry.createQuery(command.query, command.page)
      : jobs.createQuery(...command.jobs, command.page);
    const pages = [];
    while (query.hasMoreResults) {
      // Without the token as an argument this form asks for the first page again and again.
      pages.push((await query.next(query.continuationToken)).result);
    }
    return pages;
  }
  const of = command.of === "job" ? jobs : registry;
  const result = await of[command.call](...(command.args || []));
  return result.responseBody || result.jobStatus;
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  let answer;
  try {
    const result = await carryOut(JSON.parse(line));
    // Twins hold on to the registry they came from.
    const plain = (key, value) => (key.startsWith("_") ? undefined : value);
    answer = JSON.stringify({ result: result === undefined ? null : result }, plain);
  } catch (error) {
    answer = JSON.stringify({ refused: error.constructor.name, message: error.message });
  }
  process.stdout.write(answer + "\n");
});
