import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.retry.RetryOneTime;

/**
 * Takes and gives up Curator's locks as told on standard input, one order a line, and says what happened.
 *
 * <pre>
 * open NAME KIND PATH     a participant with a session of its own; KIND: mutex, revocable, read, write, latch,
 *                         semaphore:LIMIT, or semaphore@NODE with the limit in a SharedCount
 * acquire NAME            answers "held NAME" once it holds
 * release NAME            answers "released NAME"
 * limit NAME NUMBER       changes the SharedCount; answers "limited NAME"
 * revoke NAME NODE        asks the holder that the node stands for to give up; answers "asked NAME"
 * count NAME FILE TIMES   takes the lock so many times and adds one to the number in the file; "counted NAME"
 * </pre>
 */
public final class Holder {
    /** One contender. Curator's locks belong to the thread that took them, so each has a thread. */
    private static final class Participant {
        final CuratorFramework client;
        final ExecutorService thread = Executors.newSingleThreadExecutor();
        final String name;
        InterProcessLock lock;
        LeaderLatch latch;
        InterProcessSemaphoreV2 semaphore;
        SharedCount count;
        Lease lease;

        Participant(String name, String kind, String path, String hosts, int timeout) throws Exception {
            this.name = name;
            client = CuratorFrameworkFactory.newClient(hosts, timeout, 10_000, new RetryOneTime(100));
            client.start();
            client.blockUntilConnected();
            switch (kind) {
                case "mutex" -> lock = new InterProcessMutex(client, path);
                case "read" -> lock = new InterProcessReadWriteLock(client, path).readLock();
                case "write" -> lock = new InterProcessReadWriteLock(client, path).writeLock();
                case "latch" -> latch = new LeaderLatch(client, path, name);
                case "revocable" -> {
                    InterProcessMutex mutex = new InterProcessMutex(client, path);
                    mutex.makeRevocable(asked -> say("revoked " + name));
                    lock = mutex;
                }
                default -> openSemaphore(kind, path);
            }
        }

        private void openSemaphore(String kind, String path) throws Exception {
            if (kind.startsWith("semaphore:")) {
                semaphore = new InterProcessSemaphoreV2(client, path, Integer.parseInt(kind.substring(10)));
            } else if (kind.startsWith("semaphore@")) {
                count = new SharedCount(client, kind.substring(10), 1);
                count.start();
                semaphore = new InterProcessSemaphoreV2(client, path, count);
            } else {
                throw new IllegalArgumentException(kind);
            }
        }

        void limit(int value) throws Exception {
            count.setCount(value);
            say("limited " + name);
        }

        void revoke(String node) throws Exception {
            Revoker.attemptRevoke(client, node);
            say("asked " + name);
        }

        void acquire() throws Exception {
            if (semaphore != null) {
                lease = semaphore.acquire();
                say("held " + name);
                return;
            }
            if (latch == null) {
                lock.acquire();
                say("held " + name);
                return;
            }
            latch.addListener(new LeaderLatchListener() {
                @Override public void isLeader() { say("held " + name); }
                @Override public void notLeader() { }
            });
            latch.start();
        }

        void release() throws Exception {
            if (semaphore != null) {
                semaphore.returnLease(lease);
            } else if (latch == null) {
                lock.release();
            } else {
                latch.close();
            }
            say("released " + name);
        }

        void count(Path file, int times) throws Exception {
            for (int turn = 0; turn < times; turn++) {
                lock.acquire();
                try {
                    long value = Long.parseLong(Files.readString(file).trim());
                    Files.writeString(file, (value + 1) + "\n");
                } finally {
                    lock.release();
                }
            }
            say("counted " + name);
        }
    }

    private interface Order {
        void run() throws Exception;
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static void order(Participant participant, Order order) {
        participant.thread.execute(() -> {
            try {
                order.run();
            } catch (Throwable problem) {
                say("failed " + participant.name + " " + problem);
            }
        });
    }

    public static void main(String[] arguments) throws Exception {
        String hosts = arguments[0];
        int timeout = Integer.parseInt(arguments[1]);
        Map<String, Participant> participants = new ConcurrentHashMap<>();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("open")) {
                participants.put(words[1], new Participant(words[1], words[2], words[3], hosts, timeout));
                say("open " + words[1]);
                continue;
            }
            Participant participant = participants.get(words[1]);
            switch (words[0]) {
                case "acquire" -> order(participant, participant::acquire);
                case "release" -> order(participant, participant::release);
                case "limit" -> order(participant, () -> participant.limit(Integer.parseInt(words[2])));
                case "revoke" -> order(participant, () -> participant.revoke(words[2]));
                case "count" -> order(participant, () -> participant.count(Path.of(words[2]), Integer.parseInt(words[3])));
                default -> say("failed " + words[1] + " unknown order " + words[0]);
            }
        }
        Runtime.getRuntime().halt(0);
    }
}
