/**
 * The name of a step of a client that takes effect once, though it is asked for again when its answer was lost. If it
 * has been done already, by an earlier daemon perhaps, it does nothing and gives the answer that it gave then. A step
 * that was refused has not been done.
 */
export interface Once {
  /** The client's id, as in `PutOptions.client`. */
  client: string;
  /** The number of the step among those of its client. */
  seq: number;
  /** Steps with a lesser `seq` will not be asked for again, so their answers need not be kept. */
  acked: number;
}
