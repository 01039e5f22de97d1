"""Graphs, tables, pictures."""

import math
from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import einsum


def gcn(start):
    """Graph convolutions by a sparse adjacency matrix."""

    class GraphConvolution(nn.Module):
        def __init__(self, in_features, out_features, bias=True):
            super(GraphConvolution, self).__init__()
            self.weight = nn.Parameter(torch.FloatTensor(in_features, out_features))
            if bias:
                self.bias = nn.Parameter(torch.FloatTensor(out_features))
            else:
                self.register_parameter("bias", None)
            self.reset_parameters()

        def reset_parameters(self):
            stdv = 1.0 / math.sqrt(self.weight.size(1))
            self.weight.data.uniform_(-stdv, stdv)
            if self.bias is not None:
                self.bias.data.uniform_(-stdv, stdv)

        def forward(self, input, adj):
            support = torch.mm(input, self.weight)
            output = torch.spmm(adj, support)
            return output + self.bias if self.bias is not None else output

    class GCN(nn.Module):
        def __init__(self, adj):
            super().__init__()
            self.gc1, self.gc2 = GraphConvolution(5, 8), GraphConvolution(8, 3)
            self.adj = adj

        def forward(self, x):
            x = F.relu(self.gc1(x, self.adj))
            x = F.dropout(x, 0.0, training=self.training)
            return F.log_softmax(self.gc2(x, self.adj), dim=1)

    rng = np.random.default_rng(0)
    edges = rng.integers(0, 12, (30, 2))
    dense = np.eye(12, dtype=np.float32)
    dense[edges[:, 0], edges[:, 1]] = dense[edges[:, 1], edges[:, 0]] = 1
    dense /= dense.sum(1, keepdims=True)
    indices = torch.tensor(np.stack(np.nonzero(dense)).astype(np.int64))
    adj = torch.sparse_coo_tensor(indices, torch.tensor(dense[np.nonzero(dense)]), torch.Size(dense.shape))
    assert torch.allclose(adj.to_dense(), torch.tensor(dense)) and torch.allclose(adj.coalesce().t().to_dense().T, adj.to_dense())
    features, labels = torch.tensor(rng.standard_normal((12, 5)).astype("f4")), torch.tensor(rng.integers(0, 3, 12))
    idx_train = torch.LongTensor(range(6)).to(labels.device)
    model = start(GCN(adj)).to(features.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)

    def step(i):
        model.train()
        optimizer.zero_grad()
        output = model(features)
        loss_train = F.nll_loss(output[idx_train], labels[idx_train])
        loss_train.backward()
        optimizer.step()
        preds = output.max(1)[1].type_as(labels)
        return loss_train + preds.eq(labels).double().sum() / len(labels)

    return step, model, (features,)


def gat(start):
    """Attention over edges: softmax in groups by scatter_reduce and index_add, pooled by graphs."""

    def softmax_of_groups(src, index, n):
        most = torch.full((n, src.shape[1]), float("-inf"), device=src.device)
        most = most.scatter_reduce(0, index[:, None].expand_as(src), src, reduce="amax")
        out = (src - most.detach()[index]).exp()
        total = torch.zeros(n, src.shape[1], device=src.device).index_add_(0, index, out)
        return out / (total[index] + 1e-16)

    class GATConv(nn.Module):
        def __init__(self, in_channels, out_channels, heads=2):
            super().__init__()
            self.heads, self.out_channels = heads, out_channels
            self.lin = nn.Linear(in_channels, heads * out_channels, bias=False)
            self.att_src = nn.Parameter(torch.empty(1, heads, out_channels))
            self.att_dst = nn.Parameter(torch.empty(1, heads, out_channels))
            nn.init.xavier_uniform_(self.att_src)
            nn.init.xavier_uniform_(self.att_dst)

        def forward(self, x, edge_index):
            n = x.size(0)
            src, dst = edge_index
            h = self.lin(x).view(-1, self.heads, self.out_channels)
            alpha = (h * self.att_src).sum(-1)[src] + (h * self.att_dst).sum(-1)[dst]
            alpha = softmax_of_groups(F.leaky_relu(alpha, 0.2), dst, n)
            out = h.new_zeros(n, self.heads, self.out_channels)
            out.index_add_(0, dst, h[src] * alpha.unsqueeze(-1))
            return out.flatten(1)

    class GAT(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = GATConv(4, 3), GATConv(6, 3)
            self.head = nn.Linear(12, 2)

        def forward(self, x, edge_index, batch):
            x = F.elu(self.conv1(x, edge_index))
            x = self.conv2(x, edge_index)
            count = torch.zeros(2, device=x.device).index_add(0, batch, torch.ones_like(x[:, 0])).clamp(min=1).unsqueeze(1)
            mean = torch.zeros(2, x.size(1), device=x.device).scatter_add_(0, batch[:, None].expand_as(x), x) / count
            most = torch.zeros(2, x.size(1), device=x.device).scatter_reduce_(
                0, batch[:, None].expand_as(x), x, "amax", include_self=False
            )
            return self.head(torch.cat([mean, most], 1))

    rng = np.random.default_rng(1)
    x = torch.tensor(rng.standard_normal((10, 4)).astype("f4"))
    edges = np.concatenate([rng.integers(0, 5, (2, 12)), rng.integers(5, 10, (2, 12)), np.arange(10)[None].repeat(2, 0)], 1)
    edge_index, batch, y = torch.tensor(edges), torch.tensor([0] * 5 + [1] * 5), torch.tensor([1, 0])
    model = start(GAT())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def step(i):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x, edge_index, batch), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x, edge_index, batch)


def matrix_factorisation(start):
    """Users and items: two embeddings, their biases, and a wide and deep part."""

    class MF(nn.Module):
        def __init__(self, users=6, items=8, k=4):
            super().__init__()
            self.user_factors, self.item_factors = nn.Embedding(users, k), nn.Embedding(items, k)
            self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)
            self.mean = nn.Parameter(torch.FloatTensor([3.0]), False)
            self.deep = nn.Sequential(nn.Linear(2 * k, 8), nn.SELU(), nn.Linear(8, 1))

        def forward(self, user, item):
            u, v = self.user_factors(user), self.item_factors(item)
            dot = (u * v).sum(1) + self.user_bias(user).squeeze() + self.item_bias(item).squeeze() + self.mean
            return dot + self.deep(torch.cat((u, v), 1)).flatten()

    rng = np.random.default_rng(2)
    users, items = torch.LongTensor(rng.integers(0, 6, 30)), torch.LongTensor(rng.integers(0, 8, 30))
    ratings = torch.FloatTensor(rng.integers(1, 6, 30).astype(np.float32))
    device = torch.zeros(1).device
    model = start(MF()).to(device)
    users, items, ratings = (t.to(device) for t in (users, items, ratings))
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)

    def step(i):
        optimizer.zero_grad(set_to_none=False)
        loss = F.mse_loss(model(users, items), ratings) + 1e-2 * sum(torch.norm(p) for p in model.parameters() if p.requires_grad)
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (users, items)


def vision_transformer(start):
    """Patches, a class token, encoder layers; pictures by unfold."""

    class ViT(nn.Module):
        def __init__(self, image=8, patch=4, dim=8, depth=2, heads=2, classes=3):
            super().__init__()
            self.patch = patch
            self.to_patch = nn.Sequential(nn.LayerNorm(patch * patch), nn.Linear(patch * patch, dim), nn.LayerNorm(dim))
            self.pos_embedding = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, dim))
            self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
            nn.init.trunc_normal_(self.cls_token, std=0.02)
            layer = nn.TransformerEncoderLayer(
                dim, heads, dim * 2, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            self.transformer = nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
            self.head = nn.Linear(dim, classes)

        def forward(self, img):
            x = F.unfold(img, self.patch, stride=self.patch).transpose(1, 2)
            x = self.to_patch(x)
            cls = self.cls_token.expand(x.shape[0], -1, -1)
            x = torch.cat((cls, x), dim=1) + self.pos_embedding[:, : x.shape[1] + 1]
            return self.head(self.transformer(x)[:, 0])

    rng = np.random.default_rng(3)
    x, y = torch.tensor(rng.standard_normal((4, 1, 8, 8)).astype("f4")), torch.tensor(rng.integers(0, 3, 4))
    model = start(ViT())
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15),
        ],
        milestones=[5],
    )

    def step(i):
        loss = nn.CrossEntropyLoss(label_smoothing=0.1)(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    return step, model, (x,)


def siamese(start):
    """One network for three pictures: triplets, contrastive pairs, and InfoNCE."""

    class ContrastiveLoss(torch.nn.Module):
        def __init__(self, margin=2.0):
            super().__init__()
            self.margin = margin

        def forward(self, a, b, label):
            distance = F.pairwise_distance(a, b, keepdim=True)
            pos, neg = (1 - label) * torch.pow(distance, 2), label * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2)
            return torch.mean(pos + neg)

    def info_nce(features, temperature=0.5):
        n = features.shape[0] // 2
        labels = torch.cat([torch.arange(n) for _ in range(2)], dim=0)
        labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float().to(features.device)
        features = F.normalize(features, dim=1)
        similarity = torch.matmul(features, features.T)
        mask = torch.eye(labels.shape[0], dtype=torch.bool).to(features.device)
        labels, similarity = labels[~mask].view(2 * n, -1), similarity[~mask].view(2 * n, -1)
        positives = similarity[labels.bool()].view(2 * n, -1)
        negatives = similarity[~labels.bool()].view(2 * n, -1)
        logits = torch.cat([positives, negatives], dim=1) / temperature
        return F.cross_entropy(logits, torch.zeros(logits.shape[0], dtype=torch.long, device=features.device))

    net = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"),
            act1=nn.CELU(),
            pool=nn.AdaptiveAvgPool2d((2, 2)),
            flat=nn.Flatten(),
            fc=nn.Linear(16, 4),
        )
    )
    start(net)
    rng = np.random.default_rng(4)
    anchor, positive, negative = (torch.tensor(rng.standard_normal((5, 1, 6, 6)).astype("f4")) for _ in range(3))
    label = torch.tensor(rng.integers(0, 2, (5, 1)).astype("f4"))
    triplet = nn.TripletMarginLoss(margin=1.0, p=2, swap=True)
    with_distance = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: 1.0 - F.cosine_similarity(a, b))
    ranking = nn.MarginRankingLoss(margin=0.1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02)

    def step(i):
        a, p, n = net(anchor), net(positive), net(negative)
        hardest = torch.cdist(a, torch.cat([p, n]), p=2).min(dim=1)[0]
        loss = triplet(a, p, n) + with_distance(a, p, n) + ContrastiveLoss()(a, p, label) + info_nce(torch.cat([a, p]))
        loss = loss + ranking(a.norm(dim=1), n.norm(dim=1), torch.ones(5)) + 0.1 * hardest.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, net, (anchor,)


def segmentation(start):
    """A UNet with bilinear upsampling, dice and focal losses, transposed convolutions, class weights."""

    def double_conv(cin, cout):
        return nn.Sequential(
            nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.InstanceNorm2d(cout, affine=True), nn.LeakyReLU(0.1)
        )

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down1, self.down2, self.mid = double_conv(1, 4), double_conv(4, 6), double_conv(6, 6)
            self.pool = nn.MaxPool2d(2, return_indices=True)
            self.unpool = nn.MaxUnpool2d(2)
            self.up = nn.ConvTranspose2d(6, 6, 2, stride=2)
            self.up2, self.up1 = double_conv(12, 4), double_conv(8, 4)
            self.out = nn.Conv2d(4, 3, kernel_size=1)

        def forward(self, x):
            a = self.down1(x)
            pooled, _ = self.pool(a)
            b = self.down2(pooled)
            c, indices = self.pool(b)
            c = self.mid(c)
            up = self.up(c)
            diff = b.size()[2] - up.size()[2]
            up = F.pad(up, [diff // 2, diff - diff // 2, diff // 2, diff - diff // 2])
            d = self.up2(torch.cat([up, b], dim=1))
            d = F.interpolate(d, size=a.shape[-2:], mode="bilinear", align_corners=False)
            return self.out(self.up1(torch.cat([d, a], dim=1)))

    def dice_loss(input, target, smooth=1.0):
        probs = torch.softmax(input, dim=1)
        one_hot = F.one_hot(target, num_classes=3).permute(0, 3, 1, 2).contiguous().float()
        dims = (0, 2, 3)
        intersection, cardinality = (probs * one_hot).sum(dims), (probs + one_hot).sum(dims)
        return 1 - ((2 * intersection + smooth) / (cardinality + smooth)).mean()

    def focal_loss(input, target, gamma=2.0, alpha=0.25):
        logp = F.cross_entropy(input, target, reduction="none", weight=torch.tensor([1.0, 2.0, 1.0], device=input.device))
        p = torch.exp(-logp)
        return (alpha * (1 - p) ** gamma * logp).mean()

    rng = np.random.default_rng(5)
    x, y = torch.tensor(rng.standard_normal((2, 1, 8, 8)).astype("f4")), torch.tensor(rng.integers(0, 3, (2, 8, 8)))
    y[0, 0, 0] = 1
    model = start(UNet())
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, momentum=0.9, centered=True)
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=20, power=0.9)

    def step(i):
        out = model(x)
        loss = dice_loss(out, y) + focal_loss(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        mask = out.detach().argmax(1)
        iou = ((mask == y) & (y == 1)).sum() / ((mask == 1) | (y == 1)).sum().clamp(min=1)
        return loss

    return step, model, (x,)


def detector(start):
    """Anchors and boxes: IoU, matching, smooth losses on selected rows, suppression."""

    def box_iou(a, b):
        area = lambda t: (t[:, 2] - t[:, 0]) * (t[:, 3] - t[:, 1])
        lt, rb = torch.max(a[:, None, :2], b[:, :2]), torch.min(a[:, None, 2:], b[:, 2:])
        wh = (rb - lt).clamp(min=0)
        inter = wh[:, :, 0] * wh[:, :, 1]
        return inter / (area(a)[:, None] + area(b) - inter)

    def nms(boxes, scores, threshold):
        order, keep = scores.sort(descending=True)[1], []
        while order.numel() > 0:
            i = order[0].item()
            keep.append(i)
            if order.numel() == 1:
                break
            iou = box_iou(boxes[i : i + 1], boxes[order[1:]])[0]
            order = order[1:][(iou <= threshold).nonzero().flatten()]
        return keep

    class Head(nn.Module):
        def __init__(self, anchors=2):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.Hardsigmoid(), nn.Dropout2d(0.0))
            self.cls, self.reg = nn.Conv2d(6, anchors, 1), nn.Conv2d(6, anchors * 4, 1)

        def forward(self, x):
            h = self.body(x)
            n = x.shape[0]
            return self.cls(h).permute(0, 2, 3, 1).reshape(n, -1), self.reg(h).permute(0, 2, 3, 1).reshape(n, -1, 4)

    shifts = torch.arange(0, 4) * 2.0 + 1
    cy, cx = torch.meshgrid(shifts, shifts, indexing="ij")
    centres = torch.stack((cx.reshape(-1), cy.reshape(-1)), 1)
    sizes = torch.tensor([[1.5, 1.5], [2.5, 2.0]])
    anchors = torch.cat([(centres[:, None] - sizes).view(-1, 2), (centres[:, None] + sizes).view(-1, 2)], 1)
    truth = torch.tensor([[0.5, 0.5, 4.0, 4.0], [4.0, 3.0, 7.5, 7.0]])
    rng = np.random.default_rng(6)
    x = torch.tensor(rng.standard_normal((2, 1, 8, 8)).astype("f4"))
    model = start(Head())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    overlap, matched = box_iou(anchors, truth).max(dim=1)
    positive = overlap > 0.3
    centre, size = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]
    t = truth[matched]
    target = torch.cat([((t[:, :2] + t[:, 2:]) / 2 - centre) / size, torch.log((t[:, 2:] - t[:, :2]) / size)], dim=1)

    def step(i):
        scores, deltas = model(x)
        labels = positive.float().unsqueeze(0).expand(2, -1)
        cls = F.binary_cross_entropy_with_logits(scores, labels, pos_weight=torch.tensor(2.0), reduction="none")
        hard, _ = torch.topk(cls.masked_fill(positive, 0.0), 6, dim=1)
        reg = F.smooth_l1_loss(deltas[:, positive], target[positive].expand(2, -1, -1), beta=0.11, reduction="sum")
        loss = cls[:, positive].mean() + hard.mean() + reg / max(1, int(positive.sum()) * 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        keep = nms(anchors, scores[0].detach().sigmoid(), 0.5)
        return loss + len(keep)

    return step, model, (x,)


def conv_lstm(start):
    """Video: a recurrent cell of convolutions, with its state in lists."""

    class ConvLSTMCell(nn.Module):
        def __init__(self, input_dim, hidden_dim, kernel_size, bias=True):
            super().__init__()
            self.hidden_dim = hidden_dim
            padding = kernel_size[0] // 2, kernel_size[1] // 2
            self.conv = nn.Conv2d(input_dim + hidden_dim, 4 * hidden_dim, kernel_size, padding=padding, bias=bias)

        def forward(self, input_tensor, cur_state):
            h_cur, c_cur = cur_state
            combined_conv = self.conv(torch.cat([input_tensor, h_cur], dim=1))
            cc_i, cc_f, cc_o, cc_g = torch.split(combined_conv, self.hidden_dim, dim=1)
            i, f, o, g = torch.sigmoid(cc_i), torch.sigmoid(cc_f), torch.sigmoid(cc_o), torch.tanh(cc_g)
            c_next = f * c_cur + i * g
            return o * torch.tanh(c_next), c_next

    class Video(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = ConvLSTMCell(1, 3, (3, 3))
            self.frame = nn.Conv3d(3, 1, (1, 3, 3), padding=(0, 1, 1))

        def forward(self, x):
            b, t, _, h, w = x.size()
            state = (torch.zeros(b, 3, h, w, device=x.device), torch.zeros(b, 3, h, w, device=x.device))
            outputs = []
            for k in range(t):
                state = self.cell(input_tensor=x[:, k, :, :, :], cur_state=list(state))
                outputs.append(state[0])
            return self.frame(torch.stack(outputs, dim=2)).transpose(1, 2)

    rng = np.random.default_rng(7)
    x = torch.tensor(rng.random((2, 4, 1, 5, 5)).astype("f4"))
    model = start(Video())
    optimizer = torch.optim.ASGD(model.parameters(), lr=0.1)

    def step(i):
        out = model(x[:, :-1])
        loss = nn.L1Loss()(out, x[:, 1:]) + nn.BCELoss()(out.sigmoid(), (x[:, 1:] > 0.5).to(out.dtype))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)


def point_cloud(start):
    """Points: farthest sampling, neighbours, a pooled network with a learned transform and its orthogonality."""

    class TNet(nn.Module):
        def __init__(self, k=3):
            super().__init__()
            self.k = k
            self.conv = nn.Sequential(nn.Conv1d(k, 8, 1), nn.BatchNorm1d(8), nn.ReLU())
            self.fc = nn.Linear(8, k * k)

        def forward(self, x):
            h = torch.max(self.conv(x), 2, keepdim=True)[0].view(-1, 8)
            iden = torch.eye(self.k, device=x.device).flatten().view(1, self.k * self.k).repeat(x.size(0), 1)
            return (self.fc(h) + iden).view(-1, self.k, self.k)

    class PointNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.tnet = TNet()
            self.edge = nn.Conv2d(6, 8, 1)
            self.fc = nn.Linear(16, 2)

        def knn(self, x, k):
            inner = -2 * torch.matmul(x.transpose(2, 1), x)
            xx = torch.sum(x**2, dim=1, keepdim=True)
            return (-xx - inner - xx.transpose(2, 1)).topk(k=k, dim=-1)[1]

        def forward(self, x):
            trans = self.tnet(x)
            x = torch.bmm(x.transpose(2, 1), trans).transpose(2, 1)
            b, d, n = x.size()
            idx = self.knn(x, 3)
            base = torch.arange(0, b, device=x.device).view(-1, 1, 1) * n
            points = x.transpose(2, 1).contiguous()
            neighbours = points.view(b * n, -1)[(idx + base).view(-1), :].view(b, n, 3, d)
            centre = points.view(b, n, 1, d).repeat(1, 1, 3, 1)
            edge = torch.cat((neighbours - centre, centre), dim=3).permute(0, 3, 1, 2).contiguous()
            h = F.leaky_relu(self.edge(edge), negative_slope=0.2).max(dim=-1, keepdim=False)[0]
            h = torch.cat((F.adaptive_max_pool1d(h, 1).view(b, -1), F.adaptive_avg_pool1d(h, 1).view(b, -1)), 1)
            return self.fc(h), trans

    def farthest(xyz, npoint):
        centroids, distance, far = [], torch.full(xyz.shape[:1], 1e10, device=xyz.device), 0
        for _ in range(npoint):
            centroids.append(far)
            dist = torch.sum((xyz - xyz[far]) ** 2, -1)
            distance = torch.where(dist < distance, dist, distance)
            far = int(torch.max(distance, -1)[1])
        return centroids

    rng = np.random.default_rng(8)
    x, y = torch.tensor(rng.standard_normal((4, 3, 12)).astype("f4")), torch.tensor([0, 1, 1, 0])
    x = x[:, :, farthest(x[0].T, 9)]
    model = start(PointNet())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr=1e-3, max_lr=1e-2, step_size_up=5, cycle_momentum=False)

    def step(i):
        logits, trans = model(x)
        eye = torch.eye(3, device=x.device).unsqueeze(0)
        reg = torch.mean(torch.norm(torch.bmm(trans, trans.transpose(2, 1)) - eye, dim=(1, 2)))
        loss = F.cross_entropy(logits, y) + 1e-3 * reg
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    return step, model, (x,)


def swin(start):
    """Windows that are shifted, with masks and tables of relative positions; squeeze-and-excite; stochastic depth."""

    def window_partition(x, window_size):
        B, H, W, C = x.shape
        x = x.view(B, H // window_size, window_size, W // window_size, window_size, C)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window_size, window_size, C)

    def window_reverse(windows, window_size, H, W):
        B = int(windows.shape[0] / (H * W / window_size / window_size))
        x = windows.view(B, H // window_size, W // window_size, window_size, window_size, -1)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(B, H, W, -1)

    class DropPath(nn.Module):
        def __init__(self, drop_prob=0.0):
            super().__init__()
            self.drop_prob = drop_prob

        def forward(self, x):
            if self.drop_prob == 0.0 or not self.training:
                return x
            keep_prob = 1 - self.drop_prob
            mask = keep_prob + torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), dtype=x.dtype, device=x.device)
            return x.div(keep_prob) * mask.floor_()

    class SwinBlock(nn.Module):
        def __init__(self, dim=8, heads=2, window=2, shift=1, size=4):
            super().__init__()
            self.dim, self.heads, self.window, self.shift, self.size = dim, heads, window, shift, size
            self.norm = nn.LayerNorm(dim)
            self.table = nn.Parameter(torch.zeros((2 * window - 1) * (2 * window - 1), heads))
            nn.init.trunc_normal_(self.table, std=0.5)
            coords = torch.stack(torch.meshgrid([torch.arange(window), torch.arange(window)], indexing="ij")).flatten(1)
            relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0).contiguous()
            relative[:, :, 0] += window - 1
            relative[:, :, 1] += window - 1
            relative[:, :, 0] *= 2 * window - 1
            self.register_buffer("index", relative.sum(-1))
            img_mask, cnt = torch.zeros((1, size, size, 1)), 0
            slices = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
            for h in slices:
                for w in slices:
                    img_mask[:, h, w, :] = cnt
                    cnt += 1
            mask = window_partition(img_mask, window).view(-1, window * window)
            mask = mask.unsqueeze(1) - mask.unsqueeze(2)
            mask = mask.masked_fill(mask != 0, float(-100.0)).masked_fill(mask == 0, float(0.0))
            self.register_buffer("mask", mask)
            self.qkv, self.proj = nn.Linear(dim, dim * 3), nn.Linear(dim, dim)
            self.drop_path = DropPath(0.0)

        def forward(self, x):
            B, H, W, C = x.shape
            h = torch.roll(self.norm(x), shifts=(-self.shift, -self.shift), dims=(1, 2))
            h = window_partition(h, self.window).view(-1, self.window**2, C)
            B_, N, _ = h.shape
            q, k, v = self.qkv(h).reshape(B_, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
            attn = (q * (C // self.heads) ** -0.5) @ k.transpose(-2, -1)
            bias = self.table[self.index.view(-1)].view(N, N, -1).permute(2, 0, 1).contiguous()
            attn = attn + bias.unsqueeze(0)
            nW = self.mask.shape[0]
            attn = attn.view(B_ // nW, nW, self.heads, N, N) + self.mask.unsqueeze(1).unsqueeze(0)
            attn = torch.softmax(attn.view(-1, self.heads, N, N), dim=-1)
            h = self.proj((attn @ v).transpose(1, 2).reshape(B_, N, C))
            h = window_reverse(h.view(-1, self.window, self.window, C), self.window, H, W)
            return x + self.drop_path(torch.roll(h, shifts=(self.shift, self.shift), dims=(1, 2)))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Conv2d(1, 8, 2, 2)
            self.block = SwinBlock()
            self.se = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.SiLU(), nn.Conv2d(2, 8, 1), nn.Sigmoid())
            self.shuffle = nn.PixelShuffle(2)

        def forward(self, x):
            x = self.block(self.embed(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            return self.shuffle(x * self.se(x))

    rng = np.random.default_rng(9)
    x = torch.tensor(rng.standard_normal((2, 1, 8, 8)).astype("f4"))
    model = start(Net())
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=5)

    def step(i):
        out = model(x)
        loss = F.mse_loss(out, x.expand(-1, 2, -1, -1)) + 0.01 * (out[..., 1:] - out[..., :-1]).abs().sum() / out.numel()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    return step, model, (x,)
