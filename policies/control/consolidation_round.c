/* A round of consolidation, compiled: place the VMs that leave overloaded hosts, then empty hosts.
 *
 * The same arithmetic in the same order as in consolidation.py with the placement of power_aware.py
 * on the candidates of capacity.py, for farms without rules, reserve or bars, with piecewise linear
 * power, and with an overload test that is a weighted sum. compiled_round.py says when it applies;
 * where this file was not compiled, Python does all of it, with equal results.
 *
 * CPU is in MHz, memory in MiB, power in W. A candidate is named by its position, hosts and VMs by
 * their rows. Columns arrive as buffers of 64-bit floats and integers, and of bytes for truth values.
 */

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdlib.h>

#define LAST_LEVEL 10.0 /* power curves have knots at 0, 10, ..., 100 % of the CPU */
#define TIE 1e-9        /* share within which values are equal, as in models/base/ties.py */

typedef long long i64;
typedef unsigned char u8;

/* The columns in the order of the arguments. VM_HOME, what candidates have left, and all results
 * are written. */
enum column {
    /* one entry per VM */
    NEED, NEED_PER_CORE, NEED_MIB, SIGNAL, STAYING, VM_HOME, ORDER,
    /* one per host; FIRST_OF has one more */
    INCOMING, POSITION, FIRST_OF,
    /* one per candidate */
    HOST, LOAD, FREE, FREE_MIB, CORE, TEST_FREE, HEADROOM, GUESTS, SLEEPING, IDLE,
    LEVELS_PER_MHZ, FIRST_LEVEL, BEFORE_W,
    /* others */
    SLOPE_W, OFFSET_W, LEAVING, LEAVING_ORDER, DRAIN_ORDER,
    /* results: a row per proposal, and the hosts that were emptied */
    OUT_VM, OUT_TARGET, OUT_COST, OUT_CAUSE, OUT_SUPERSEDED, OUT_DRAINED,
    COLUMNS
};

static const u8 item_bytes[COLUMNS] = {
    8, 8, 8, 8, 1, 8, 8,
    8, 8, 8,
    8, 8, 8, 8, 8, 8, 8, 8, 1, 1, 8, 8, 8,
    8, 8, 8, 8, 8,
    8, 8, 8, 8, 1, 8,
};

static int is_written(int column)
{
    return column == VM_HOME || (column >= LOAD && column <= FREE_MIB) || column >= OUT_VM
        || (column >= TEST_FREE && column <= SLEEPING) || column == BEFORE_W;
}

/* What a candidate had before it was given a VM, so that nothing is rounded when that is undone. */
struct before {
    i64 position;
    double load, free, free_mib, test_free, headroom, before_w;
    u8 sleeping;
};

struct round {
    Py_buffer view[COLUMNS];
    i64 vms, hosts, candidates;
    double tie_mhz, tie_w;
    int tentative;      /* power is compared with the tentative one, not with the measured one */
    u8 *closed, *kept;  /* per candidate, per host */
    double *cost;       /* per candidate, of the VM in hand */
    i64 *head, *tail, *next; /* per host and VM: VMs that a host was given, in order */
    i64 *live;          /* per VM: the row of its last proposal, -1 if none */
    i64 *group, *sorted, *place;
    double *price;
    struct before *journal;
    i64 proposals;
};

#define F(r, name) ((double *)(r)->view[name].buf)
#define I(r, name) ((i64 *)(r)->view[name].buf)
#define B(r, name) ((u8 *)(r)->view[name].buf)

static double watts(struct round *r, i64 p, double load_mhz)
{
    double level = load_mhz * F(r, LEVELS_PER_MHZ)[p];
    if (level > LAST_LEVEL)
        level = LAST_LEVEL;
    i64 segment = I(r, FIRST_LEVEL)[p] + (i64)level;
    double power_w = F(r, SLOPE_W)[segment] * level;
    return power_w + F(r, OFFSET_W)[segment];
}

/* The first candidate whose power rises least by a VM, within the tolerance; -1 if none fits. */
static i64 cheapest(struct round *r, i64 vm)
{
    double need = F(r, NEED)[vm], per_core = F(r, NEED_PER_CORE)[vm], mib = F(r, NEED_MIB)[vm];
    double least_free = need - r->tie_mhz, least_headroom = F(r, SIGNAL)[vm] - r->tie_mhz;
    const double *free_mhz = F(r, FREE), *free_mib = F(r, FREE_MIB), *core = F(r, CORE);
    const double *headroom = F(r, HEADROOM), *load = F(r, LOAD), *before_w = F(r, BEFORE_W);
    double lowest = INFINITY;
    for (i64 p = 0; p < r->candidates; p++) {
        r->cost[p] = INFINITY;
        if (r->closed[p] || free_mhz[p] < least_free || core[p] < per_core || free_mib[p] < mib
            || headroom[p] < least_headroom)
            continue;
        r->cost[p] = watts(r, p, load[p] + need) - before_w[p];
        if (r->cost[p] < lowest)
            lowest = r->cost[p];
    }
    if (lowest == INFINITY)
        return -1;
    i64 first = 0;
    while (!(r->cost[first] <= lowest + r->tie_w))
        first++;
    return first;
}

static void take(struct round *r, i64 vm, i64 p, struct before *was)
{
    *was = (struct before){
        p, F(r, LOAD)[p], F(r, FREE)[p], F(r, FREE_MIB)[p], F(r, TEST_FREE)[p],
        F(r, HEADROOM)[p], F(r, BEFORE_W)[p], B(r, SLEEPING)[p],
    };
    F(r, LOAD)[p] += F(r, NEED)[vm];
    F(r, FREE)[p] -= F(r, NEED)[vm];
    F(r, FREE_MIB)[p] -= F(r, NEED_MIB)[vm];
    F(r, TEST_FREE)[p] -= F(r, SIGNAL)[vm];
    F(r, HEADROOM)[p] = F(r, TEST_FREE)[p];
    I(r, GUESTS)[p] += 1;
    B(r, SLEEPING)[p] = 0;
    if (r->tentative)
        F(r, BEFORE_W)[p] = watts(r, p, F(r, LOAD)[p]);
}

static void give_back(struct round *r, const struct before *was)
{
    i64 p = was->position;
    F(r, LOAD)[p] = was->load;
    F(r, FREE)[p] = was->free;
    F(r, FREE_MIB)[p] = was->free_mib;
    F(r, TEST_FREE)[p] = was->test_free;
    F(r, HEADROOM)[p] = was->headroom;
    F(r, BEFORE_W)[p] = was->before_w;
    I(r, GUESTS)[p] -= 1;
    B(r, SLEEPING)[p] = was->sleeping;
}

/* Sort places of a group: the largest need first; needs within the tolerance as they stand. */
static void sort_decreasing(struct round *r, i64 count)
{
    const double *need = F(r, NEED);
    i64 *sorted = r->sorted;
    for (i64 i = 0; i < count; i++) {
        i64 j = i;
        for (; j > 0 && need[r->group[sorted[j - 1]]] < need[r->group[i]]; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = i;
    }
    for (i64 start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count; end++)
            if (-need[r->group[sorted[end]]] > -need[r->group[sorted[end - 1]]] + r->tie_mhz)
                break;
        for (i64 i = start + 1; i < end; i++) {
            i64 j = i, place = sorted[i];
            for (; j > start && sorted[j - 1] > place; j--)
                sorted[j] = sorted[j - 1];
            sorted[j] = place;
        }
    }
}

/* Place a sorted group of VMs; whether all found a host. If not, all is as before. */
static int place_group(struct round *r, i64 count)
{
    for (i64 i = 0; i < count; i++) {
        i64 at = r->sorted[i], p = cheapest(r, r->group[at]);
        if (p < 0) {
            while (i-- > 0)
                give_back(r, &r->journal[i]);
            return 0;
        }
        r->place[at] = p;
        r->price[at] = r->cost[p];
        take(r, r->group[at], p, &r->journal[i]);
    }
    return 1;
}

/* Whether all other candidates together lack the CPU or memory that a group needs. */
static int is_in_vain(struct round *r, i64 count)
{
    double need = 0, need_mib = 0, left = 0, left_mib = 0;
    for (i64 i = 0; i < count; i++) {
        need += F(r, NEED)[r->group[i]];
        need_mib += F(r, NEED_MIB)[r->group[i]];
    }
    for (i64 p = 0; p < r->candidates; p++)
        if (!r->closed[p]) {
            left += fmax(F(r, FREE)[p], 0.0);
            left_mib += fmax(F(r, FREE_MIB)[p], 0.0);
        }
    double slack = r->candidates * r->tie_mhz;
    return need > left + TIE * (left + need) + slack
        || need_mib > left_mib + TIE * (left_mib + need_mib) + slack;
}

static void receive(struct round *r, i64 vm, i64 host)
{
    r->next[vm] = -1;
    if (r->head[host] < 0)
        r->head[host] = vm;
    else
        r->next[r->tail[host]] = vm;
    r->tail[host] = vm;
}

static void pass_on(struct round *r, i64 vm, i64 host)
{
    i64 previous = -1, each = r->head[host];
    for (; each != vm; each = r->next[each])
        previous = each;
    if (previous < 0)
        r->head[host] = r->next[vm];
    else
        r->next[previous] = r->next[vm];
    if (r->tail[host] == vm)
        r->tail[host] = previous;
}

/* Propose that a group goes where it was placed. A cause is a row of the VMs that leave, or, where
 * a host is emptied, -1 and less: -1 - host. */
static void propose(struct round *r, i64 count, i64 host)
{
    for (i64 i = 0; i < count; i++) {
        i64 vm = r->group[i], target = I(r, HOST)[r->place[i]], row = r->proposals++;
        if (r->live[vm] >= 0) {
            B(r, OUT_SUPERSEDED)[r->live[vm]] = 1;
            pass_on(r, vm, I(r, VM_HOME)[vm]);
        }
        r->live[vm] = row;
        I(r, OUT_VM)[row] = vm;
        I(r, OUT_TARGET)[row] = target;
        F(r, OUT_COST)[row] = r->price[i];
        I(r, OUT_CAUSE)[row] = host < 0 ? i : -1 - host;
        B(r, OUT_SUPERSEDED)[row] = 0;
        I(r, VM_HOME)[vm] = target;
        receive(r, vm, target);
    }
}

/* Put the VMs of a host after all planned migrations into the group; return how many. */
static i64 tenants(struct round *r, i64 host)
{
    i64 count = 0;
    for (i64 i = I(r, FIRST_OF)[host]; i < I(r, FIRST_OF)[host + 1]; i++) {
        i64 vm = I(r, ORDER)[i];
        if (I(r, VM_HOME)[vm] == host && B(r, STAYING)[vm])
            r->group[count++] = vm;
    }
    for (i64 vm = r->head[host]; vm >= 0; vm = r->next[vm])
        r->group[count++] = vm;
    return count;
}

/* Empty hosts one by one where all their VMs fit elsewhere; return how many were. */
static i64 drain(struct round *r, int drain_receivers, int skip_idle)
{
    i64 drained = 0, wanted = r->view[DRAIN_ORDER].len / 8;
    for (i64 p = 0; p < r->candidates; p++)
        r->closed[p] = B(r, SLEEPING)[p] || (skip_idle && B(r, IDLE)[p]);
    for (i64 host = 0; host < r->hosts; host++)
        r->kept[host] = !drain_receivers && r->head[host] >= 0;
    for (i64 k = 0; k < wanted; k++) {
        i64 host = I(r, DRAIN_ORDER)[k], own = I(r, POSITION)[host];
        if (r->kept[host] || I(r, INCOMING)[host])
            continue;
        i64 count = tenants(r, host);
        r->closed[own] = 1;
        sort_decreasing(r, count);
        if (is_in_vain(r, count) || !place_group(r, count)) {
            r->closed[own] = 0;
            continue;
        }
        I(r, OUT_DRAINED)[drained++] = host;
        for (i64 i = 0; i < count; i++)
            r->kept[I(r, HOST)[r->place[i]]] = 1;
        propose(r, count, host);
    }
    return drained;
}

/* Place those that leave overloaded hosts, then empty hosts; -1 if one of them finds none. */
static i64 play(struct round *r, int drain_receivers, int skip_idle)
{
    i64 leaving = r->view[LEAVING].len / 8;
    for (i64 host = 0; host < r->hosts; host++)
        r->head[host] = r->tail[host] = -1;
    for (i64 vm = 0; vm < r->vms; vm++)
        r->live[vm] = -1;
    for (i64 p = 0; p < r->candidates; p++)
        r->closed[p] = 0;
    for (i64 i = 0; i < leaving; i++) {
        r->group[i] = I(r, LEAVING)[i];
        r->sorted[i] = I(r, LEAVING_ORDER)[i];
    }
    if (!place_group(r, leaving))
        return -1;
    propose(r, leaving, -1);
    return drain(r, drain_receivers, skip_idle);
}

static void *allot(char **memory, i64 count, size_t bytes)
{
    void *part = *memory;
    *memory += (count * bytes + 15) / 16 * 16;
    return part;
}

/* Share one piece of memory out to all work arrays; 0 if there is none. */
static int allot_all(struct round *r, void **memory)
{
    size_t per_vm = 5 * sizeof(i64) + sizeof(double) + sizeof(struct before);
    size_t per_host = 2 * sizeof(i64) + 1, per_candidate = sizeof(double) + 1;
    char *at = *memory = malloc(r->vms * per_vm + r->hosts * per_host
                                + r->candidates * per_candidate + 16 * 16);
    if (!at)
        return 0;
    r->next = allot(&at, r->vms, sizeof(i64));
    r->live = allot(&at, r->vms, sizeof(i64));
    r->group = allot(&at, r->vms, sizeof(i64));
    r->sorted = allot(&at, r->vms, sizeof(i64));
    r->place = allot(&at, r->vms, sizeof(i64));
    r->price = allot(&at, r->vms, sizeof(double));
    r->journal = allot(&at, r->vms, sizeof(struct before));
    r->head = allot(&at, r->hosts, sizeof(i64));
    r->tail = allot(&at, r->hosts, sizeof(i64));
    r->cost = allot(&at, r->candidates, sizeof(double));
    r->kept = allot(&at, r->hosts, 1);
    r->closed = allot(&at, r->candidates, 1);
    return 1;
}

/* Whether every column has as many entries as its kind asks for. */
static int fit_together(struct round *r)
{
    r->vms = r->view[NEED].len / 8;
    r->hosts = r->view[INCOMING].len / 8;
    r->candidates = r->view[HOST].len / 8;
    i64 proposals = r->vms + r->view[LEAVING].len / 8;
    for (int c = 0; c < COLUMNS; c++) {
        i64 wanted = r->view[c].len / item_bytes[c];
        if (c <= ORDER)
            wanted = r->vms;
        else if (c <= FIRST_OF)
            wanted = r->hosts + (c == FIRST_OF);
        else if (c <= BEFORE_W)
            wanted = r->candidates;
        else if (c == LEAVING_ORDER)
            wanted = r->view[LEAVING].len / 8;
        else if (c >= OUT_VM && c < OUT_DRAINED)
            wanted = proposals;
        else if (c == OUT_DRAINED)
            wanted = r->hosts;
        if (r->view[c].len != wanted * item_bytes[c])
            return 0;
    }
    return r->view[LEAVING].len / 8 <= r->vms;
}

/* consolidation_round(column, ..., tie_mhz, tie_w, flags) -> (proposals, drained hosts), or
 * (-1, 0) if a VM that leaves an overloaded host finds no other, which Python then explains.
 * Flags: 1 compare with tentative power, 2 drain receivers, 4 skip idle hosts. */
static PyObject *consolidation_round(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (count != COLUMNS + 3) {
        PyErr_Format(PyExc_TypeError, "%d columns and 3 numbers are needed", (int)COLUMNS);
        return NULL;
    }
    struct round r = {.proposals = 0};
    void *memory = NULL;
    PyObject *result = NULL;
    int held = 0;
    for (; held < COLUMNS; held++) {
        int how = is_written(held) ? PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE : PyBUF_C_CONTIGUOUS;
        if (PyObject_GetBuffer(args[held], &r.view[held], how) < 0)
            goto done;
        if (r.view[held].itemsize != item_bytes[held]) {
            PyErr_Format(PyExc_TypeError, "column %d has the wrong type", held++);
            goto done;
        }
    }
    r.tie_mhz = PyFloat_AsDouble(args[COLUMNS]);
    r.tie_w = PyFloat_AsDouble(args[COLUMNS + 1]);
    long flags = PyLong_AsLong(args[COLUMNS + 2]);
    if (PyErr_Occurred())
        goto done;
    if (!fit_together(&r)) {
        PyErr_SetString(PyExc_ValueError, "the columns differ in length");
        goto done;
    }
    if (!allot_all(&r, &memory)) {
        PyErr_NoMemory();
        goto done;
    }
    r.tentative = flags & 1;
    i64 drained = play(&r, (flags & 2) != 0, (flags & 4) != 0);
    result = drained < 0 ? Py_BuildValue("ii", -1, 0)
                         : Py_BuildValue("LL", r.proposals, drained);
done:
    while (held-- > 0)
        PyBuffer_Release(&r.view[held]);
    free(memory);
    return result;
}

static PyMethodDef methods[] = {
    {"consolidation_round", (PyCFunction)(void (*)(void))consolidation_round, METH_FASTCALL,
     "Play a round of consolidation on columns; see consolidation_round.c."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_compiled",
    .m_doc = "Rounds of consolidation, compiled.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    return PyModuleDef_Init(&module);
}
