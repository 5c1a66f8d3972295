/** Two verifiers of evidence on many more damaged and random pieces of it: some two minutes. */
import { suite } from 'uvu';
import { PROPERTIES } from '../support/verdict-properties.js';

const RUNS = 2_500;

const test = suite('two verdicts, for long');

for (const [name, holds] of Object.entries(PROPERTIES)) test(name, () => holds(RUNS));

test.run();
