import type { Person } from './people.ts';

/** When the sandbox's accounts are said to have been made. */
const CREATED_AT = '2020-01-01T00:00:00Z';

/** The user object of GET /user. Only a token with the scope `user` sees what is private. */
export function describeUser(person: Person, baseUrl: string, isPrivateView: boolean): Record<string, unknown> {
  const api = `${baseUrl}/users/${person.login}`;
  return {
    login: person.login,
    id: person.id,
    node_id: Buffer.from(`04:User${person.id}`).toString('base64'),
    avatar_url: `${baseUrl}/avatars/u/${person.id}?v=4`,
    gravatar_id: '',
    url: api,
    html_url: `${baseUrl}/${person.login}`,
    followers_url: `${api}/followers`,
    following_url: `${api}/following{/other_user}`,
    gists_url: `${api}/gists{/gist_id}`,
    starred_url: `${api}/starred{/owner}{/repo}`,
    subscriptions_url: `${api}/subscriptions`,
    organizations_url: `${api}/orgs`,
    repos_url: `${api}/repos`,
    events_url: `${api}/events{/privacy}`,
    received_events_url: `${api}/received_events`,
    type: 'User',
    user_view_type: isPrivateView ? 'private' : 'public',
    site_admin: false,
    name: person.name,
    company: null,
    blog: '',
    location: null,
    email: person.public_email,
    hireable: null,
    bio: null,
    twitter_username: null,
    notification_email: person.public_email,
    public_repos: 3,
    public_gists: 0,
    followers: 1,
    following: 1,
    created_at: CREATED_AT,
    updated_at: CREATED_AT,
    ...(isPrivateView ? PRIVATE : {}),
  };
}

const PRIVATE = {
  private_gists: 0,
  total_private_repos: 0,
  owned_private_repos: 0,
  disk_usage: 120,
  collaborators: 0,
  two_factor_authentication: true,
  plan: { name: 'free', space: 976_562_499, collaborators: 0, private_repos: 10_000 },
};

/** The list of GET /user/emails. The visibility of addresses other than the primary one is null. */
export function describeEmails(person: Person): Record<string, unknown>[] {
  return person.emails.map(({ email, primary, verified }) => ({
    email,
    primary,
    verified,
    visibility: primary ? (person.public_email === null ? 'private' : 'public') : null,
  }));
}

/** A picture of a person: initials on a colour of their own. */
export function drawAvatar(person: Person): string {
  const words = (person.name ?? person.login).split(/[\s-]+/);
  const initials = words
    .map((word) => word.charAt(0).toUpperCase())
    .join('')
    .slice(0, 2);
  const hue = (person.id * 137) % 360;
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96">' +
    `<rect width="96" height="96" fill="hsl(${hue} 45% 40%)"/>` +
    '<text x="48" y="48" dy="0.35em" text-anchor="middle" font-family="system-ui, sans-serif" font-size="38" fill="#fff">' +
    `${initials.replace(/[^\p{L}\p{N}]/gu, '')}</text></svg>`
  );
}
