/** How often a test kills something: so many times, or MQ_TEST_KILLS=N times. */
export function kills(usual: number): number {
  return Number(process.env['MQ_TEST_KILLS'] || usual);
}
