/** Each line that a reader may copy, and the test that runs it, or `here`. */
export const COMMANDS: Readonly<Record<string, string>> = {
  'npm ci && npm start': 'here',
  'npm ci && npm test': '.ci/run',
  'npm run demo': 'test/demo.test.ts',
  'npm run demo -- --cheat "router:drop for one recipient"': 'test/cli-verify.test.ts',
  'npm run -s bench -- run throughput --system countersign,countersign-unverified':
    'test/long/bench-run.test.ts',
  'node examples/client.mjs': 'here',
  'node examples/compare.mjs': 'here',
  'node examples/browser/serve.mjs': 'test/long/browser.test.ts',
  'npx countersign keygen --out alice.key': 'here',
  'npx countersign keygen --out bob.key': 'here',
  'npx countersign tail --key bob.key': 'here',
  "npx countersign send --key alice.key --to ID_OF_BOB 'hello'": 'here',
  'npx countersign manifest': 'here',
  'npx countersign config': 'here',
  'npx countersign config --check --port 7800': 'here',
  'npx countersign serve --help': 'here',
  'npx countersign audit --data ./data --evidence ./evidence': 'test/long/audit-directory.test.ts',
  'npx countersign audit --token operator.token --evidence ./evidence': 'test/long/audit-server.test.ts',
};

export const wordsOf = (line: string): string[] =>
  line.split(' ').map((word) => word.replace(/^'(.*)'$/, '$1'));
