import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Eta } from 'eta';
import type { Middleware } from 'koa';
import type { RequestState } from './parse-body.ts';

/** Where every page that a vendor shows finds its style. */
const STYLE_PATH = '/_sandbox/style.css';

export interface Pages {
  /** Renders a template, named by its path in this folder without `.eta`. Values are escaped. */
  render(template: string, data: object): string;
  /** Serves the style sheet and leaves every other request alone. */
  serveStyle: Middleware<RequestState>;
}

/** The pages that people see at a vendor: Pico CSS and a little of our own, without a script. */
export function createPages(): Pages {
  const eta = new Eta({ views: fileURLToPath(new URL('.', import.meta.url)), cache: true, autoEscape: true });
  let style: string | undefined;
  return {
    render: (template, data) => eta.render(`./${template}`, { ...data, style_path: STYLE_PATH }),
    async serveStyle(ctx, next) {
      if (ctx.path !== STYLE_PATH) return next();
      style ??= ['@picocss/pico/css/pico.min.css', './pages.css']
        .map((file) => readFileSync(fileURLToPath(import.meta.resolve(file)), 'utf8'))
        .join('\n');
      ctx.type = 'text/css';
      ctx.set('cache-control', 'max-age=3600');
      ctx.body = style;
    },
  };
}
