/* Moves the system clock of the processes it is preloaded into, as a step of the real one would.
 *
 * The offset in nanoseconds stands in the file that REJSHAND_CLOCK_OFFSET names and may change at
 * any time. The steady clock is left alone, as it is by a step. A wait until a time of the system
 * clock is handed to the kernel by the kernel's own clock; a step during the wait is not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BILLION 1000000000LL

static volatile int64_t *shared;

__attribute__((constructor)) static void open_offset(void)
{
    const char *path = getenv("REJSHAND_CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *memory = mmap(NULL, sizeof *shared, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (memory != MAP_FAILED)
        shared = memory;
}

static struct timespec moved(struct timespec time, int64_t by)
{
    int64_t all = (int64_t)time.tv_sec * BILLION + time.tv_nsec + by;
    struct timespec result = {all / BILLION, all % BILLION};
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    long failed = syscall(SYS_clock_gettime, clock, time);
    if (!failed && shared && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        *time = moved(*time, *shared);
    return (int)failed;
}

int gettimeofday(struct timeval *restrict value, void *restrict zone)
{
    (void)zone;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    value->tv_sec = time.tv_sec;
    value->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

/* Decades since 1970, not since the start of the computer, tell a time of the system clock from one
 * of the steady clock, which a condition may be set to. */
static struct timespec kernels(const struct timespec *until)
{
    return shared && until->tv_sec > BILLION ? moved(*until, -*shared) : *until;
}

static void *next(const char *name, const char *version)
{
    void *found = version ? dlvsym(RTLD_NEXT, name, version) : NULL;
    return found ? found : dlsym(RTLD_NEXT, name);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) /* without its version, the oldest one would be found */
        real = next("pthread_cond_timedwait", "GLIBC_2.3.2");
    struct timespec time = kernels(until);
    return real(condition, mutex, &time);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    static int (*real)(pthread_mutex_t *, const struct timespec *);
    if (!real)
        real = next("pthread_mutex_timedlock", NULL);
    struct timespec time = kernels(until);
    return real(mutex, &time);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    static int (*real)(sem_t *, const struct timespec *);
    if (!real)
        real = next("sem_timedwait", NULL);
    struct timespec time = kernels(until);
    return real(semaphore, &time);
}
