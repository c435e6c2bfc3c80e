/** The TCP port on which every server of every cluster takes clients and replicas. */
export const databasePort = 3306;
