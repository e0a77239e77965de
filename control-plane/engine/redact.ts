import type { BoxSpec } from '../../stacks/spec.ts';

export type Redact = (text: string) => string;

const SECRET_NAME = /SECRET|PASSWORD|PASSPHRASE|TOKEN|API_KEY/;
/** Shorter values would blot out ordinary words. */
const SHORTEST = 6;

/** Blots out every secret of the engine's environment and of the box. The engine masks what it knows to be secret; this is for the rest. */
export function createRedact(env: Record<string, string>, spec?: BoxSpec): Redact {
  const values = Object.entries(env).flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value] : []));
  const url = env['PULUMI_BACKEND_URL'];
  if (url !== undefined && URL.canParse(url)) values.push(new URL(url).password, url);
  if (spec !== undefined)
    values.push(
      ...[
        spec.password_crypt,
        spec.auth.jwt_secret,
        spec.model_keys.anthropic,
        spec.model_keys.openai,
        spec.report?.token,
      ].filter((value) => value !== undefined),
    );
  const secrets = values.filter((value) => value.length >= SHORTEST).toSorted((a, b) => b.length - a.length);
  return (text) => secrets.reduce((line, secret) => line.replaceAll(secret, '[secret]'), text);
}
