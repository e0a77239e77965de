/** Kinds of files that hold secrets, by name. They stay here even when they are named, unless `--allow` says otherwise. */
const RULES: { kind: string; name?: RegExp; path?: RegExp }[] = [
  { kind: 'environment file', name: /^(\.env([._-].+)?|\.envrc|.+\.env|\.dev\.vars)$/i },
  { kind: 'private key', name: /^(id_[a-z0-9_-]+|.+\.(pem|key|ppk|p8|p12|pfx|jks|keystore|gpg))$/i },
  { kind: 'private key', path: /(^|\/)\.(ssh|gnupg)\// },
  { kind: 'password store', name: /^.+\.(kdbx?|keychain(-db)?|agilekeychain|1pux)$/i },
  {
    kind: 'credentials',
    name: /^(\.?credentials|credentials\.(json|ya?ml|toml|ini|csv)|\.git-credentials|\.vault-token)$/i,
  },
  {
    kind: 'credentials',
    name: /^(\.npmrc|\.yarnrc\.yml|\.pypirc|\.netrc|_netrc|\.pgpass|\.my\.cnf|\.htpasswd|\.boto|\.s3cfg|\.dockercfg)$/i,
  },
  {
    kind: 'credentials',
    name: /^(service[-_]?account.*\.json|client_secret.*\.json|application_default_credentials\.json)$/i,
  },
  {
    kind: 'credentials',
    name: /^\.?secrets?((\..+)?\.(json|ya?ml|toml|ini|properties|txt))?$/i,
    path: /(^|\/)\.?secrets?\/[^/]+\.(json|ya?ml|toml|ini|properties|txt)$/i,
  },
  { kind: 'credentials', name: /^(shadow|gshadow|master\.key)$/ },
  { kind: 'credentials', path: /(^|\/)(\.aws|\.azure|\.config\/gcloud|\.config\/gh)\/|(^|\/)\.docker\/config\.json$/ },
  { kind: 'cluster credentials', name: /^(\.?kubeconfig|.+\.kubeconfig)$/i },
  { kind: 'cluster credentials', path: /(^|\/)\.kube\/config$/ },
  { kind: 'Terraform state or variables', name: /^.+\.(tfstate(\..+)?|tfvars(\.json)?)$/i },
];

/** Examples of environment files are made to be shared. Their lines are still looked at. */
const EXAMPLES = /^\.?env[._-](example|sample|template|dist|defaults)$|\.(example|sample|template)\.env$/i;

/** What editors and people add to the name of an older copy. */
const COPY = /(~|\.(bak|backup|old|orig|save))$/i;

/** What kind of secret a file's name promises; `undefined` for the rest. `path` uses slashes. */
export function findSecretFileKind(path: string): string | undefined {
  const original = path.replace(COPY, '');
  const name = original.slice(original.lastIndexOf('/') + 1);
  if (EXAMPLES.test(name)) return undefined;
  return RULES.find((rule) => rule.name?.test(name) || rule.path?.test(original))?.kind;
}
