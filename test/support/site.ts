// A folder of pages: the links in them, and a server for a browser.
import { readFileSync, readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import path from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
};

/** Every page, by its path in the folder. */
export function htmlPages(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.html'));
}

/** What a page links to or loads, and the places in it that can be linked to. */
function linksOf(html: string): { links: string[]; anchors: Set<string> } {
  const all = (pattern: RegExp): string[] => [...html.matchAll(pattern)].map(([, value]) => (value ?? '').replaceAll('&amp;', '&'));
  return { links: all(/\s(?:href|src)="([^"]*)"/g), anchors: new Set(all(/\s(?:id|name)="([^"]*)"/g)) };
}

/** Links of the pages to what is not there, as `page -> link`. */
export function brokenLinks(folder: string): string[] {
  const pages = new Map(htmlPages(folder).map((page) => [page, linksOf(readFileSync(path.join(folder, page), 'utf8'))]));
  const files = new Set(readdirSync(folder, { recursive: true, encoding: 'utf8' }));
  return [...pages].flatMap(([page, { links }]) =>
    links
      .filter((link) => !/^(https?|data):/.test(link))
      .filter((link) => {
        const [file = '', anchor = ''] = link.split('#').map(decodeURIComponent);
        const target = file === '' ? page : path.join(path.dirname(page), file);
        if (!files.has(target)) return true;
        return anchor !== '' && pages.get(target)?.anchors.has(anchor) === false;
      })
      .map((link) => `${page} -> ${link}`),
  );
}

/** Serves the folder to this machine. @returns the server, and the address of its root */
export async function serve(folder: string): Promise<{ server: Server; root: string }> {
  const server = createServer(({ url = '/' }, response) => {
    const file = path.join(folder, path.normalize(decodeURIComponent(new URL(url, 'http://site').pathname)));
    try {
      response.setHeader('content-type', TYPES[path.extname(file)] ?? 'application/octet-stream').end(readFileSync(file));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, root: `http://127.0.0.1:${address.port}` };
}
