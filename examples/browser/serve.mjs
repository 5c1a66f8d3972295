// Serves the example: node examples/browser/serve.mjs [port]
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/chat.mjs': ['chat.mjs', 'text/javascript; charset=utf-8'],
  '/client.js': ['../../dist/browser/client.js', 'text/javascript; charset=utf-8'],
  '/claims.js': ['../../dist/browser/claims.js', 'text/javascript; charset=utf-8'],
  '/noble.js': ['../../dist/browser/noble.js', 'text/javascript; charset=utf-8'],
  '/send.js': ['../../dist/browser/send.js', 'text/javascript; charset=utf-8'],
  '/verdict.js': ['../../dist/browser/verdict.js', 'text/javascript; charset=utf-8'],
};

const server = createServer(async (request, response) => {
  const [path, type] = FILES[new URL(request.url, 'http://x').pathname] ?? [];
  if (!path) return response.writeHead(404, { 'content-type': 'text/html' }).end('nothing here');
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(await readFile(new URL(path, import.meta.url)));
});

server.listen(Number(process.argv[2] ?? 7780), '127.0.0.1', () => {
  console.log(`open http://127.0.0.1:${server.address().port}/ with a Countersign server running`);
});
