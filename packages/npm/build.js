#!/usr/bin/env node
// Writes the folders of the npm packages: `node build.js VERSION TARGET BINARY OUT` writes the package of a target, and
// `node build.js VERSION OUT` the package `fk-doctor`, which names those of all targets as optional dependencies.
"use strict";

const { chmodSync, copyFileSync, cpSync, mkdirSync, writeFileSync } = require("node:fs");
const { basename, join } = require("node:path");

const platforms = require("./platforms.json");
const common = {
  license: "MIT OR Apache-2.0",
  repository: { type: "git", url: "git+https://github.com/OWNER/fk-doctor.git" },
};

function writePackage(folder, content) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...content, ...common }, null, 2) + "\n");
}

function ofTarget(version, target, binary, folder) {
  const platform = platforms[target];
  if (!platform) throw new Error(`platforms.json has no target ${target}`);
  const { name, os, cpu, libc } = platform;
  const description = `The program fk-doctor for ${os} on ${cpu}`;
  writePackage(folder, { name, version, description, os: [os], cpu: [cpu], ...(libc && { libc: [libc] }), files: ["bin"] });
  const program = join(folder, "bin", basename(binary).endsWith(".exe") ? "fk-doctor.exe" : "fk-doctor");
  mkdirSync(join(folder, "bin"), { recursive: true });
  copyFileSync(binary, program);
  chmodSync(program, 0o755);
}

function main(version, folder) {
  const names = Object.values(platforms).map((platform) => platform.name);
  writePackage(folder, {
    name: "fk-doctor",
    version,
    description: "Finds every broken foreign-key reference of a database, says why, and repairs by rules",
    keywords: ["foreign-key", "sqlite", "integrity", "audit", "database"],
    bin: { "fk-doctor": "bin/fk-doctor.js" },
    files: ["bin"],
    engines: { node: ">=16" },
    optionalDependencies: Object.fromEntries(names.map((name) => [name, version])),
  });
  cpSync(join(__dirname, "fk-doctor"), folder, { recursive: true });
}

const words = process.argv.slice(2);
if (words.length === 4) ofTarget(...words);
else if (words.length === 2) main(...words);
else throw new Error("expected VERSION OUT, or VERSION TARGET BINARY OUT");
