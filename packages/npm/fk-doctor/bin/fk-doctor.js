#!/usr/bin/env node
// Runs the program of the package for this platform. Exit codes and signals pass through.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const name = `@fk-doctor/${process.platform}-${process.arch}`;
const file = process.platform === "win32" ? "fk-doctor.exe" : "fk-doctor";

let program;
try {
  program = require.resolve(`${name}/bin/${file}`);
} catch {
  console.error(`error: could not find the program of fk-doctor
because: the package ${name} is not installed
help: npm install fk-doctor --include=optional
help: if there is no package for this platform: cargo install fk-doctor --locked`);
  process.exit(3);
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// A terminal sends ctrl-c to the program too. A second one would end it at once, so it is not sent on.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("error", (error) => {
  console.error(`error: could not run ${program}\nbecause: ${error.message}`);
  process.exit(3);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
