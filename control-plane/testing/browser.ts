export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  location: string | null;
}

/** What a person's browser does over HTTP: keeps cookies, says where a request comes from, follows nothing by itself. */
export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #base: string;
  /** @param base of the control plane, its BASE_URL */
  constructor(base: string) {
    this.#base = base;
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send(path, { headers: { accept: 'text/html', ...headers } });
  }

  /** Posts a form as a page of ours would; `headers` say otherwise. */
  async post(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
    const own = { accept: 'text/html', origin: new URL(this.#base).origin, 'sec-fetch-site': 'same-origin' };
    return this.#send(path, { method: 'POST', body: new URLSearchParams(form), headers: { ...own, ...headers } });
  }

  /** Posts JSON as a script of ours would. */
  async postJson(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const own = { 'content-type': 'application/json', origin: new URL(this.#base).origin };
    return this.#send(path, { method: 'POST', body: JSON.stringify(body), headers: { ...own, ...headers } });
  }

  async #send(
    path: string,
    init: { method?: string; body?: URLSearchParams | string; headers: Record<string, string> },
  ) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...init.headers, ...(cookie === '' ? {} : { cookie }) };
    const response = await fetch(new URL(path, this.#base), { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split('=');
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const location = response.headers.get('location');
    return { status: response.status, headers: response.headers, text: await response.text(), location };
  }
}
