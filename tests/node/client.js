'use strict';

// Runs the official Node client for the tests: a JSON command per line on stdin, a JSON answer per line on stdout.
// A command is {id, options, method, arguments}; its answer {id, result} or {id, error: {name, message}}. Commands run
// side by side, so that a long poll can wait while another command sends.

const readline = require('readline');
const Client = require('@alicloud/mns');

const clients = new Map();

function clientFor(options) {
  const key = JSON.stringify(options);
  if (!clients.has(key)) {
    clients.set(key, new Client(options.accountId, options));
  }
  return clients.get(key);
}

async function run({id, options, method, arguments: given}) {
  try {
    return {id, result: await clientFor(options)[method](...given)};
  } catch (error) {
    return {id, error: {name: error.name, message: error.message}};
  }
}

readline.createInterface({input: process.stdin}).on('line', async (line) => {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
}).on('close', () => process.exit(0));
